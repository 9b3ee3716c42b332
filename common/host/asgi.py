"""The factory that uvicorn's processes import."""

from common.app import create_app as app

__all__ = ["app"]
