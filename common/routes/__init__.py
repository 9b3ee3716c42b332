"""Atoll's own routes, outside any model: from the index to jobs, keys and the audit log."""

from fastapi import FastAPI

from common.jobs import routes as jobs
from common.jobs.callbacks.definitions import job_ended
from common.routes import (
    catalogue,
    datasets,
    docs,
    health,
    registry,
    registry_changes,
    registry_drift,
    registry_moves,
    root,
    settings,
)
from common.security.audit import routes as audit
from common.security.keys import routes as keys
from common.serving.oip import routes as oip


def include(app: FastAPI) -> None:
    oip.include(app)
    registries = (registry, registry_changes, registry_moves, registry_drift)
    for module in (root, docs, health, catalogue, datasets, *registries, jobs, keys, settings, audit):
        app.include_router(module.router)
    app.webhooks.add_api_route(
        "job-ended",
        job_ended,
        methods=["POST"],
        tags=["Jobs"],
        summary="A job has ended",
        status_code=204,
        response_description="Taken, as with any 2xx.",
        responses={"default": {"description": "Tried again later, but for 410."}},
    )
