"""From a request with a file to a version: received, checked, published; or refused, and nothing is left of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from common.errors import Invalid
from common.runtime import Runtime
from common.security.authenticate import principal_of
from common.security.principal import Principal
from models.hosted import service
from models.hosted.definitions import Uploaded, read_metrics
from models.hosted.formats.card import NanPolicy
from models.hosted.uploads import received

if TYPE_CHECKING:
    from models.hosted.check import Checked

# Each check starts a process that may take gigabytes; more of them wait.
_CHECKS = CapacityLimiter(2)
_VERSION_CHARS = 100


@dataclass(frozen=True)
class Sent:
    """A file to be made a version, and what is told of it.

    Parameters
    ----------
    library_version : as `1.9.1` or `scikit-learn==1.9.1`; for files that do not tell it.
    job_id : that made the file.
    """

    path: Path
    filename: str
    size_bytes: int
    sha256: str
    library_version: str | None = None
    description: str | None = None
    alias: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    nan: NanPolicy | None = None
    job_id: str | None = None


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def uploads_folder(runtime: Runtime) -> Path:
    """Where files on their way lie, on a disk of this machine."""
    return runtime.settings.storage.cache_dir / "uploads"


async def upload(
    request: Request,
    tag: str,
    *,
    filename: str = "",
    library_version: str | None = None,
    description: str | None = None,
    alias: str | None = None,
    metrics: str | None = None,
    nan: str | None = None,
) -> Uploaded:
    """Make a version of the file that a request carries. What a form says goes before the other arguments.

    Raises
    ------
    Conflict
        The tag is the name of a plugin.
    BadRequest, TooLarge, UnsupportedMediaType, Invalid, Unavailable, ShareFull, ShareDown
        Nothing has changed.
    """
    runtime = runtime_of(request)
    await to_thread.run_sync(service.check_tag, tag, runtime.settings.plugins)
    most = runtime.settings.hosting.max_model_bytes
    async with received(request, uploads_folder(runtime), most, filename) as file:
        fields = file.fields
        sent = Sent(
            file.path,
            file.filename,
            file.size_bytes,
            file.sha256,
            fields.get("library_version") or fields.get("mllib") or library_version,
            fields.get("model_description") or description,
            fields.get("alias") or alias,
            read_metrics(fields.get("metrics") or metrics),
            _nan(fields.get("nan") or nan),
        )
        by = principal_of(request)
        return await to_thread.run_sync(lambda: accept(runtime, tag, sent, by), limiter=_CHECKS)


def _nan(given: str | None) -> NanPolicy | None:
    if given is None:
        return None
    if given == "allow":
        return "allow"
    if given == "refuse":
        return "refuse"
    raise Invalid.field("nan", "is `allow` or `refuse`", given)


def accept(runtime: Runtime, tag: str, sent: Sent, by: Principal) -> Uploaded:
    """Check a file in a process of its own, and publish it; blocks.

    Raises
    ------
    Invalid
        The model is refused; the detail says why.
    ShareFull, ShareDown, Unavailable
    """
    # Brings what checks need; most processes never check a model.
    from common.registry.versions import check_alias
    from models.hosted.check import Asked, Limits, check

    library_version = sent.library_version
    if library_version is not None and len(library_version) > _VERSION_CHARS:
        raise Invalid.field("library_version", f"at most {_VERSION_CHARS} characters", library_version)
    if sent.alias is not None:
        check_alias(sent.alias)
    description = service.told_description(sent.description)
    asked = Asked((library_version or "").rpartition("==")[2].strip() or None, sent.nan)
    try:
        checked = check(sent.path, sent.filename, Limits.of(runtime.settings.models), asked)
    except Invalid as exc:
        # Libraries name the file that they were given, which is nobody's business.
        raise Invalid(exc.detail.replace(str(sent.path), sent.filename), errors=exc.errors) from None
    with checked:
        _check_room(checked, runtime.settings.models.pool_bytes)
        return service.publish(
            runtime.registry,
            tag,
            checked,
            filename=sent.filename,
            size_bytes=sent.size_bytes,
            sha256=sent.sha256,
            by=by,
            description=description,
            alias=sent.alias,
            metrics=sent.metrics,
            job_id=sent.job_id,
        )


def _check_room(checked: "Checked", pool_bytes: int) -> None:
    """Refuse what could never be opened here. Raises Invalid."""
    needed = max(checked.card.memory_bytes, sum(file.stat().st_size for file in checked.artefacts.values()))
    if needed > pool_bytes:
        raise Invalid(
            f"the model takes {needed / 1e6:.0f} MB once it is open, and all models together may take "
            f"{pool_bytes / 1e6:.0f} MB here (MODEL_POOL_BYTES)"
        )


async def in_check_turn(work: Callable[[], Uploaded]) -> Uploaded:
    """Run what checks a model when it is its turn."""
    return await to_thread.run_sync(work, limiter=_CHECKS)
