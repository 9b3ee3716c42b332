"""What programs left on clusters becomes versions of hosted models. Blocks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from common.errors import Forbidden
from common.plugins.contract import Output
from common.registry.versions import Version
from common.security.scopes import Scope
from models.hosted import service
from models.hosted.definitions import PREFIX
from models.hosted.uploading import Sent, accept

if TYPE_CHECKING:
    from common.registry.service import Registry
    from common.runtime import Runtime

# An attempt is published again within minutes, if at all.
_LOOKED_AT = 100


def publish(runtime: "Runtime", output: Output) -> Mapping[str, Any]:
    """Check the file as an upload is, and make it a version, once for each attempt of a task.

    Raises
    ------
    Forbidden
        Who asked for it may not publish.
    Conflict, Invalid
        It is no model, or the tag is that of a plugin.
    """
    if not output.by.may(Scope.TRAIN):
        raise Forbidden("to register a model takes the scope `train`")
    service.check_tag(output.tag, runtime.settings.plugins)
    made = _made(runtime.registry, output)
    if made is None:
        sent = Sent(
            output.path,
            output.filename,
            output.size_bytes,
            output.sha256,
            description=output.name,
            metrics={name: float(value) for name, value in output.metrics.items() if isinstance(value, int | float)},
            job_id=output.job_id,
        )
        made = accept(runtime, output.tag, sent, output.by).version
    return {"model": PREFIX + output.tag, "tag": output.tag, "version": made, "ref": f"{output.tag}:{made}"}


def _made(registry: "Registry", output: Output) -> int | None:
    """The version that the attempt was made before, if there is one."""
    found: list[Version] = list(registry.list_versions(PREFIX + output.tag, limit=_LOOKED_AT))
    return next((version.number for version in found if version.job_id == output.job_id), None)
