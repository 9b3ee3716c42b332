"""What uvicorn's processes import and serve."""

import gc
import multiprocessing.util
import os
import shutil
import signal
import threading
import time
from multiprocessing.process import BaseProcess

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.app import create_app
from common.runtime import Runtime

# After the drain: what still runs then is a prediction that nobody waits for.
_END_S = 2.0
_LOAD_S = 15.0


class EndsWithItsServer:
    """Ends the process soon after the server has shut down, whatever still runs on a thread; and with its parent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        is_over = False

        async def heard() -> Message:
            nonlocal is_over
            message = await receive()
            is_over = message["type"] == "lifespan.shutdown"
            return message

        await self.app(scope, heard, send)
        if is_over and multiprocessing.parent_process() is not None:
            # One of several. uvicorn would end it by the signal that it got, and the folder of the socket by which job
            # processes were made would stay; the interpreter removes it only at its own end.
            shutil.rmtree(multiprocessing.util.get_temp_dir(), ignore_errors=True)
            os._exit(0)
        threading.Thread(target=_end_soon, daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """Stop as on Ctrl-C when the parent is gone, e.g. killed: it would have told this process to."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _end_soon() -> None:
    time.sleep(_END_S)
    os._exit(0)


def app() -> ASGIApp:
    # Hardly anything that is made at the start becomes garbage: looking for it takes a tenth of that time.
    gc.disable()
    made = create_app(background=True)
    threading.Thread(target=_collect_again, args=(made.state.runtime,), name="collect-again", daemon=True).start()
    return EndsWithItsServer(_with_grpc(made))


def _with_grpc(app: FastAPI) -> ASGIApp:
    runtime: Runtime = app.state.runtime
    if not runtime.settings.http.grpc_port or "http" not in runtime.settings.roles:
        return app
    # Costs a tenth of a second.
    from common.host.grpc.server import WithGrpc

    return WithGrpc(app, runtime.settings, runtime)


def _collect_again(runtime: Runtime) -> None:
    """Once the models are there, or fail to come."""
    runtime.wait_until_loaded(_LOAD_S)
    # What is there by now stays, and need not be looked at while requests are answered.
    gc.freeze()
    gc.enable()
