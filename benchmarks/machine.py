"""What the figures were taken on, and which CPU does what."""

import contextlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil

# What decides the speed of a prediction.
LIBRARIES = ("numpy", "scipy", "scikit-learn", "fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "orjson")
# Passed on to the servers where the caller has set them, and told in the report.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def facts() -> dict[str, str]:
    load = psutil.getloadavg()[0]
    cpus = len(usable_cpus())
    told = {
        "CPU": f"{_cpu_model()}, {cpus} usable",
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "load before": f"{load:.1f}" + (" (not quiet: others were at work)" if load > 0.5 * cpus else ""),
    }
    given = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    return told | ({"set by the caller": ", ".join(given)} if given else {})


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def usable_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextlib.contextmanager
def pinned(cpus: set[int] | None) -> Iterator[None]:
    """This process, and those it starts inside, on `cpus` only. Does nothing for None and outside Linux."""
    if cpus is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
