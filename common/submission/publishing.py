"""Makes a task's result a version of a model, through the plugin that takes such files."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from common.errors import Invalid
from common.plugins.contract import Output
from common.security.ownership import owner_of
from common.storage.landing import Landing, sweep
from common.storage.share import Share
from common.submission.collect import Publish
from common.submission.records import Task

if TYPE_CHECKING:
    from common.runtime import Runtime

# What programs call a model that they leave, beside the name that was asked for.
OUTPUTS = ("model.onnx", "model.skops")


def publisher(runtime: "Runtime", share: Share) -> Publish:
    """What the collector calls for a task that is to be registered."""

    def publish(task: Task, path: str) -> Mapping[str, Any]:
        wanted = task.spec.register_as
        if wanted is None:
            return {}
        takers = [hook for record in runtime.records if (hook := record.plugin.publish_output) is not None]
        if not takers:
            raise Invalid("no model that is served here takes files of tasks; the result stays among the task's files")
        found = _found(share, path, wanted.output)
        if found is None:
            told = " or ".join(dict.fromkeys((wanted.output, *OUTPUTS)))
            raise Invalid(f"the program left no {told} in ATOLL_OUTPUT_DIR; nothing was registered")
        place, size_bytes = found
        folder = runtime.settings.storage.cache_dir / "uploads"
        sweep(folder)
        landing = Landing(folder, size_bytes, "MAX_TASK_OUTPUT_BYTES")
        try:
            for chunk in share.read(place):
                landing.write(chunk)
            output = Output(
                path=landing.path,
                filename=place.rpartition("/")[2],
                size_bytes=landing.size_bytes,
                sha256=landing.digest.hexdigest(),
                tag=wanted.tag,
                name=wanted.name,
                by=owner_of(task.owner, task.marks),
                job_id=f"{task.id}-{task.attempt}",
                metrics=dict(task.metrics),
            )
            return takers[0](runtime, output)
        finally:
            landing.close()

    return publish


def _found(share: Share, path: str, wanted: str) -> tuple[str, int] | None:
    folder = path.removesuffix(wanted)
    for name in dict.fromkeys((wanted, *OUTPUTS)):
        info = share.stat(folder + name)
        if info is not None:
            return folder + name, info.size_bytes
    return None
