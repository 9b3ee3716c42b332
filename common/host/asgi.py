"""The factory that uvicorn's processes import."""

from fastapi import FastAPI

from common.app import create_app
from common.settings import get_settings
from common.telemetry.logs import configure_logs


def app() -> FastAPI:
    # Before the plugins are imported, so that what goes wrong there is logged in the chosen format.
    configure_logs(get_settings().telemetry)
    return create_app(background=True)
