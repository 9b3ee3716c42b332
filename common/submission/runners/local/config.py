"""What a section of `clusters.toml` for the machine itself holds.

::

    [local]
    kind = "local"
    slots = 4
    containers = "podman"
    allowed_images = ["sklearn:1.9"]
"""

import os
import sys
from typing import Literal

from pydantic import Field

from common.submission.config import ClusterConfig
from common.submission.spec import Word


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalConfig(ClusterConfig):
    """The machine that Atoll runs on. `local` is there without any configuration, with the partition `cpu`.

    Parameters
    ----------
    enabled : `false` takes the cluster away.
    folder : where the folders of tasks lie; by default `tasks/<cluster>` in `ATOLL_STATE`.
    slots : how many tasks run at once; by default one less than the machine has CPUs, and at least one.
    python : what runs `.py` entry points; by default Atoll's own, with all that is installed there.
    spark_submit : what runs Spark applications.
    max_memory_bytes : the most that a task may ask for.
    default_memory_bytes : for tasks that do not say how much they need; by default they are not limited.
    log_limit_bytes : what a program writes beyond this is left out of its log.
    grace_s : between asking a program to end and killing it.
    max_files : how many files a program may have open.
    """

    kind: Literal["local"] = "local"
    enabled: bool = True
    folder: str = ""
    partitions: tuple[Word, ...] = ("cpu",)
    default_partition: Word | None = "cpu"
    containers: Literal["none", "podman", "bubblewrap", "native"] = "none"
    python: str = Field(default_factory=lambda: sys.executable)
    spark_submit: str = "spark-submit"
    slots: int = Field(default_factory=lambda: max(1, _cpus() - 1), ge=1, le=1024)
    max_memory_bytes: int | None = Field(None, ge=1 << 20)
    default_memory_bytes: int | None = Field(None, ge=1 << 20)
    log_limit_bytes: int = Field(100_000_000, ge=1000)
    grace_s: float = Field(5.0, ge=0, le=600)
    max_files: int = Field(4096, ge=64)
