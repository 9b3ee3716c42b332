"""Atoll's own routes, outside any model: index, docs, health, metrics, models and their parameters, data sets."""

from fastapi import FastAPI

from common.routes import catalogue, datasets, docs, health, root


def include(app: FastAPI) -> None:
    for module in (root, docs, health, catalogue, datasets):
        app.include_router(module.router)
