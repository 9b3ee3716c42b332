"""Atoll's own routes, outside any model: index, docs, health, metrics, models and parameters, data sets, registry."""

from fastapi import FastAPI

from common.routes import catalogue, datasets, docs, health, registry, root


def include(app: FastAPI) -> None:
    for module in (root, docs, health, catalogue, datasets, registry):
        app.include_router(module.router)
