"""What Atoll is told of hosted models: their routes, who may ask what, and where old clients find them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from common.plugins import OldPrefix, Plugin
from common.plugins.contract import Output
from common.settings import get_settings
from common.storage import landing
from common.telemetry.logs import get_logger
from models.hosted import old_api, routes, routes_hosts, routes_parts, routes_predict
from models.hosted.parts import FOLDER
from models.hosted.wiring import hosted

if TYPE_CHECKING:
    from common.runtime import Runtime

log = get_logger("atoll.hosted")

router = APIRouter(prefix="/hosted", tags=["Hosted models"])
for part in (routes, routes_predict, routes_parts, routes_hosts):
    router.include_router(part.router)


def _load() -> None:
    log.info("upload a model with: atoll registry push FILE --name TAG")
    landing.sweep(get_settings().storage.cache_dir / "uploads")


def _publish_output(runtime: "Runtime", output: Output) -> Mapping[str, Any]:
    # Brings what checks models; most processes never check one.
    from models.hosted.outputs import publish

    return publish(runtime, output)


_TRAIN, _ADMIN = "train", "admin"

plugin = Plugin(
    title="Hosted models",
    load=_load,
    tensors=hosted,
    prefixes=[
        OldPrefix("/api", old_api.error_shape, old_api.router),
        OldPrefix("/help", old_api.error_shape, old_api.help_router),
    ],
    # To publish a version is what trainings do; what answers is changed by `admin`.
    scopes={
        "POST /models/{ref}": _TRAIN,
        "PATCH /models/{ref}": _ADMIN,
        "DELETE /models/{ref}": _ADMIN,
        "POST /models/{ref}/default": _ADMIN,
        "POST /uploads": _TRAIN,
        "GET /uploads/{upload_id}": _TRAIN,
        "PUT /uploads/{upload_id}/parts/{number}": _TRAIN,
        "POST /uploads/{upload_id}": _TRAIN,
        "DELETE /uploads/{upload_id}": _TRAIN,
        "POST /v1/models/{ref}": _TRAIN,
        "PUT /v1/models/{ref}": _TRAIN,
        # It takes `submit` too, which the route looks at.
        "POST /v1/train/{tag}/{name}": _TRAIN,
        "DELETE /v1/models/{ref}": _ADMIN,
        "POST /v1/models/{ref}/default": _ADMIN,
        "PUT /v1/models/{ref}/information": _ADMIN,
    },
    large_bodies=[
        "POST /models/{ref}",
        "PUT /uploads/{upload_id}/parts/{number}",
        "POST /v1/models/{ref}",
        "PUT /v1/models/{ref}",
        "POST /v1/train/{tag}/{name}",
    ],
    cli={"registry push": "models.hosted.cli:push"},
    leaves=[FOLDER],
    panels=("panel.js", "values.js", "inputs.js", "ask.js", "versions.js", "upload.js"),
    publish_output=_publish_output,
)
