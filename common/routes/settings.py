"""`/settings`: what this process is configured with, without its secrets."""

import os

from fastapi import APIRouter, Request

from common.settings.view import SettingsInfo, describe

router = APIRouter(tags=["Security"])


@router.get("/settings", summary="Settings in effect, and where they come from")
async def show_settings(request: Request) -> SettingsInfo:
    """Secrets are shown as `***`. Of several processes the one that answers tells its own."""
    return describe(request.app.state.runtime.settings, os.environ)
