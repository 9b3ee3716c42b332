"""The factory that uvicorn's processes import."""

from fastapi import FastAPI

from common.app import create_app


def app() -> FastAPI:
    return create_app(background=True)
