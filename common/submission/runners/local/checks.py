"""What this machine can never run."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from common.errors import Invalid
from common.submission import script
from common.submission.arrays import indices
from common.submission.runners.local.config import LocalConfig
from common.submission.spec import TaskSpec

_REMEMBERED_S = 60.0
_PODMAN_S = 20.0
_seen: dict[str, float] = {}


def check(spec: TaskSpec, config: LocalConfig) -> None:
    """Refuse what could never run here.

    Raises
    ------
    Invalid
        Names the field, and what may be sent instead.
    """
    _check_place(spec, config)
    _check_image(spec, config)
    _check_size(spec, config)
    if spec.array is not None:
        indices(spec.array)
    if spec.spark is not None and spec.command is None and shutil.which(config.spark_submit) is None:
        message = f"{config.name} has no {config.spark_submit}; send it to a cluster of Spark"
        raise Invalid.field("spark", f"{message}, or set spark_submit of {config.name}")
    script.command(spec, config)


def machine_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _check_place(spec: TaskSpec, config: LocalConfig) -> None:
    if spec.partition is not None and spec.partition not in config.partitions:
        raise Invalid.field("partition", f"{config.name} has {', '.join(config.partitions)}", spec.partition)
    if spec.account is not None and config.accounts and spec.account not in config.accounts:
        raise Invalid.field("account", f"{config.name} has {', '.join(config.accounts)}", spec.account)


def _check_image(spec: TaskSpec, config: LocalConfig) -> None:
    # Without containers the program runs as it is, and its log says so: old clients always name an image.
    if spec.image is None or config.containers == "none":
        return
    if config.containers == "native":
        raise Invalid.field("image", f"{config.name} runs no containers; leave it out", spec.image)
    if config.allowed_images and spec.image not in config.allowed_images:
        raise Invalid.field("image", f"{config.name} allows {', '.join(config.allowed_images)}", spec.image)
    if config.containers == "bubblewrap":
        folder = None if config.images is None else Path(config.images)
        if folder is None:
            raise Invalid.field("image", f"{config.name} has no images; leave it out", spec.image)
        if "/" in spec.image or not (folder / spec.image).is_dir():
            known = ", ".join(sorted(path.name for path in folder.glob("*/"))[:20]) or "none"
            raise Invalid.field("image", f"{config.name} has no such image; it has {known}", spec.image)
    elif not _podman_has(spec.image):
        raise Invalid.field("image", f"{config.name} has no such image; `podman images` on it lists them", spec.image)


def _podman_has(image: str) -> bool:
    if time.monotonic() - _seen.get(image, -_REMEMBERED_S) < _REMEMBERED_S:
        return True
    try:
        done = subprocess.run(  # noqa: S603 - a name that needs no quoting
            ["podman", "image", "exists", image],  # noqa: S607 - the podman of the machine
            capture_output=True,
            timeout=_PODMAN_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    if done.returncode == 0:
        _seen[image] = time.monotonic()
    return done.returncode == 0


def _check_size(spec: TaskSpec, config: LocalConfig) -> None:
    if (spec.nodes or 1) > 1:
        raise Invalid.field("nodes", f"{config.name} is one machine; leave it out", spec.nodes)
    if (spec.cpus or 1) > machine_cpus():
        raise Invalid.field("cpus", f"{config.name} has {machine_cpus()}", spec.cpus)
    if spec.gpus and not Path("/dev/nvidiactl").exists():
        raise Invalid.field("gpus", f"{config.name} has none; leave it out", spec.gpus)
    most = min(config.max_memory_bytes or machine_memory_bytes(), machine_memory_bytes())
    if spec.memory_bytes is not None and spec.memory_bytes > most:
        raise Invalid.field("memory", f"{config.name} gives at most {most} bytes", spec.memory_bytes)
    if spec.time_limit_s is not None and config.max_time_limit_s and spec.time_limit_s > config.max_time_limit_s:
        raise Invalid.field("time_limit", f"{config.name} gives at most {config.max_time_limit_s} s", spec.time_limit_s)
