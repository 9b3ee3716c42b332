"""`/settings`: what this process is configured with, without its secrets."""

import os

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from common.settings.view import SettingsInfo, describe

router = APIRouter(tags=["Security"])


@router.get("/settings", summary="Settings in effect, and where they come from")
async def show_settings(request: Request) -> SettingsInfo:
    """Secrets are shown as `***`. Of several processes the one that answers tells its own."""
    # To find names that are spelled alike takes some milliseconds.
    return await run_in_threadpool(describe, request.app.state.runtime.settings, os.environ)
