"""Atoll's own routes, outside any model: from the index to jobs, keys and the audit log."""

from fastapi import FastAPI

from common.console import router as console
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
from common.submission import routes as tasks
from common.submission import routes_clusters, routes_files, routes_old, routes_uploads

# Routes that count their bodies for themselves.
LARGE_BODIES = ("POST /tasks", "POST /tasks/preview", "POST /new_task", "PUT /tasks/uploads/{upload_id}/parts/{number}")
# Those that take as much as a model's route does.
FULL_BODIES = ("PUT /registry/{model}/versions/{n}/snapshot",)


def include(app: FastAPI) -> None:
    oip.include(app)
    registries = (registry, registry_changes, registry_moves, registry_drift)
    # Uploads before tasks: `/tasks/uploads` is no task.
    submissions = (routes_uploads, tasks, routes_files, routes_clusters)
    pages = (root, docs, console)
    for module in (*pages, health, catalogue, datasets, *registries, jobs, *submissions, keys, settings, audit):
        app.include_router(module.router)
    routes_old.include(app)
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
