"""The Azure Functions entry point: wiring only.

One function takes every HTTP request and hands it to the app; it is anonymous at the host because Atoll authenticates.
One function a queue runs its jobs, one a poison queue marks its jobs dead, and a timer looks after all of them.
`ATOLL_ROLES` decides what a deployment registers. No line of this file may name the web framework's module or class:
the worker searches the text for them and would load another runtime.
"""

import azure.functions as func

from common.app import create_app
from common.functions import Bridge, Triggers
from common.settings import get_settings

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
web = create_app()
bridge = Bridge(web)
triggers = Triggers(web.state.runtime)
roles = get_settings().roles

if "http" in roles:

    @app.function_name("http")
    @app.route("/{*route}", methods=METHODS)
    async def http(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return await bridge.handle(req, context)


if "queues" in roles:
    for queue in triggers.queue_names():
        for name, handler in ((queue, triggers.handler(queue)), (f"{queue}-poison", triggers.poison_handler(queue))):
            trigger = app.queue_trigger(arg_name="message", queue_name=name, connection="AzureWebJobsStorage")
            app.function_name(name)(trigger(handler))

if "timers" in roles:
    # As often as the local host's scheduler acts; a lease lets one of all processes do so.
    app.function_name("tick")(app.timer_trigger(arg_name="timer", schedule="*/15 * * * * *")(triggers.tick))
