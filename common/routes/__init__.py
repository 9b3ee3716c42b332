"""Atoll's own routes, outside any model: index, docs, health, models, data sets, registry, jobs."""

from fastapi import FastAPI

from common.jobs import routes as jobs
from common.routes import catalogue, datasets, docs, health, registry, root


def include(app: FastAPI) -> None:
    for module in (root, docs, health, catalogue, datasets, registry, jobs):
        app.include_router(module.router)
