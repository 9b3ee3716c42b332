"""The Azure Functions entry point: wiring only.

One function takes every HTTP request and hands it to the app; it is anonymous at the host because Atoll authenticates.
`ATOLL_ROLES` decides what a deployment registers. No line of this file may name the web framework's module or class:
the worker searches the text for them and would load another runtime.
"""

import azure.functions as func

from common.app import create_app
from common.functions import Bridge
from common.settings import get_settings

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
bridge = Bridge(create_app())
roles = get_settings().roles

if "http" in roles:

    @app.function_name("http")
    @app.route("/{*route}", methods=METHODS)
    async def http(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return await bridge.handle(req, context)
