"""What uvicorn's processes import and serve."""

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.process import BaseProcess

from starlette.types import ASGIApp, Receive, Scope, Send

from common.app import create_app

# After the drain: what still runs then is a prediction that nobody waits for.
_END_S = 2.0


class EndsWithItsServer:
    """Ends the process soon after the server has shut down, whatever still runs on a thread; and with its parent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        if scope["type"] == "lifespan":
            threading.Thread(target=_end_soon, daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """Stop as on Ctrl-C when the parent is gone, e.g. killed: it would have told this process to."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _end_soon() -> None:
    time.sleep(_END_S)
    os._exit(0)


def app() -> ASGIApp:
    return EndsWithItsServer(create_app(background=True))
