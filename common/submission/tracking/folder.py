"""Runs in a folder as MLflow's file store writes it, on the share.

::

    <folder>/<experiment id>/meta.yaml                    name: atena_test
    <folder>/<experiment id>/<run id>/meta.yaml           run_name, status, start_time …
                                     /metrics/<name>      a line a value: milliseconds value step
                                     /params/<name>       the value
                                     /tags/<name>         the value
                                     /artifacts/…

Source: `mlflow.store.tracking.file_store`. Written by users' programs, so nothing in it is trusted.
"""

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from common.errors import AtollError
from common.storage.share import Share
from common.submission.tracking.run import TAG, TrackedRun, choose, finite, short

_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_MAX_META_BYTES = 100_000
_MAX_VALUE_BYTES = 10_000_000
_MAX_FILES = 5000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def find_run(share: Share, folder: str, name: str) -> TrackedRun | None:
    """The run of a submission in a folder of the share; None if there is none."""
    files = [info.path for info in share.find(folder)]
    wanted = f"/tags/{TAG}"
    tagged = [path.removesuffix(wanted) for path in files if path.endswith(wanted)]
    mine = [run for run in tagged if is_run(run, folder) and text(share, run + wanted, 1000) == name]
    return choose([read_run(share, run, files) for run in mine])


def is_run(path: str, folder: str) -> bool:
    """Whether a path is `<folder>/<experiment id>/<run id>`."""
    parts = path.removeprefix(f"{folder}/").split("/")
    return path.startswith(f"{folder}/") and len(parts) == 2 and all(map(_ID.fullmatch, parts))


def read_run(share: Share, run: str, files: Iterable[str]) -> TrackedRun:
    """What lies in the folder of one run.

    Parameters
    ----------
    files : paths on the share, those of the run among them.
    """
    own = [path.removeprefix(f"{run}/") for path in files if path.startswith(f"{run}/")][:_MAX_FILES]
    meta = parse_meta(text(share, f"{run}/meta.yaml", _MAX_META_BYTES))
    experiment_id, run_id = run.split("/")[-2:]
    status, started = meta.get("status"), meta.get("start_time")
    return TrackedRun(
        run_id=run_id,
        experiment_id=experiment_id,
        name=str(meta.get("run_name", ""))[:250],
        status=_STATUS.get(status, "") if isinstance(status, int) else str(status or "")[:50],
        metrics=finite({key: last_value(value) for key, value in _values(share, run, "metrics", own).items()}),
        params=short(_values(share, run, "params", own)),
        tags=short(_values(share, run, "tags", own)),
        started_ms=started if isinstance(started, int) else 0,
    )


def parse_meta(content: str) -> Mapping[str, Any]:
    """The fields of a `meta.yaml`; none where it is no mapping. Pure."""
    import yaml  # type: ignore[import-untyped]  # has no types of its own

    try:
        meta = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return meta if isinstance(meta, dict) else {}


def last_value(content: str) -> float | None:
    """The value that a metric's file gives last: the one of the highest step, then the latest. Pure."""
    best: tuple[int, int, float] | None = None
    for line in content.splitlines():
        words = line.split()
        try:
            at_ms, value, step = int(words[0]), float(words[1]), int(words[2]) if len(words) > 2 else 0
        except (ValueError, IndexError):
            continue
        if best is None or (step, at_ms) >= best[:2]:
            best = (step, at_ms, value)
    return None if best is None else best[2]


def text(share: Share, path: str, limit: int) -> str:
    """A small file's text; empty if there is none, or if it is larger than `limit` bytes."""
    found = bytearray()
    with contextlib.suppress(AtollError):
        for part in share.read(path):
            found += part
            if len(found) > limit:
                return ""
    return found.decode("utf-8", "replace")


def _values(share: Share, run: str, kind: str, files: Iterable[str]) -> dict[str, str]:
    return {
        path.removeprefix(f"{kind}/"): text(share, f"{run}/{path}", _MAX_VALUE_BYTES)
        for path in files
        if path.startswith(f"{kind}/")
    }
