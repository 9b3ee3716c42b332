"""Runs that a task brought back in `output/mlruns`, put where those of all tasks lie on the share.

Each task's program made its experiment anew, with a number of its own. On the share there is one for each name: the
one that is there, else one whose number follows from the name, so that two merges at once agree. A run keeps its id,
and becomes visible with its `meta.yaml`, which is written last; merging again changes nothing.
"""

import hashlib
from typing import Any

from common.storage.share import Share, pieces
from common.submission.spec import Tracking
from common.submission.tracking.environment import COLLECTED, folder_of, is_server
from common.submission.tracking.folder import is_run, parse_meta, text

_MAX_META_BYTES = 100_000
_CHUNK_BYTES = 1 << 20


def merge(tracking: Tracking | None, share: Share, output: str) -> int:
    """Copy the runs; how many there were.

    Parameters
    ----------
    output : the folder on the share with what the task left, e.g. `tasks/<id>/1/output`.

    Raises
    ------
    ShareDown, ShareFull
        Merge again later.
    """
    if tracking is None or is_server(tracking):
        return 0
    source, target = f"{output}/{COLLECTED}", folder_of(tracking)
    files = [info.path for info in share.find(source)]
    runs = sorted({path.removesuffix("/meta.yaml") for path in files if path.endswith("/meta.yaml")})
    merged = 0
    for run in runs:
        if is_run(run, source):
            _merge_run(share, run, [path for path in files if path.startswith(f"{run}/")], source, target)
            merged += 1
    return merged


def experiment_number(name: str) -> str:
    """The number of an experiment that is made for a name: 18 digits, as MLflow's own. Pure."""
    return str(10**17 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % (9 * 10**17))


def _merge_run(share: Share, run: str, files: list[str], source: str, target: str) -> None:
    experiment, run_id = run.split("/")[-2:]
    told = parse_meta(text(share, f"{source}/{experiment}/meta.yaml", _MAX_META_BYTES))
    number = _experiment(share, str(told.get("name") or "Default"), dict(told), target)
    place = f"{target}/{number}/{run_id}"
    if share.stat(f"{place}/meta.yaml") is not None:
        # Merged before; or somebody else's, which nobody may write over by choosing its id.
        return
    for path in files:
        if path != f"{run}/meta.yaml":
            share.write(place + path.removeprefix(run), pieces(share.read(path), _CHUNK_BYTES))
    meta = dict(parse_meta(text(share, f"{run}/meta.yaml", _MAX_META_BYTES)))
    meta |= {"experiment_id": number, "run_id": run_id, "artifact_uri": _address(share, f"{place}/artifacts")}
    _write_meta(share, f"{place}/meta.yaml", meta)


def _experiment(share: Share, name: str, told: dict[str, Any], target: str) -> str:
    """The number of the experiment of this name, which is made if there is none."""
    number = experiment_number(name)
    if share.stat(f"{target}/{number}/meta.yaml") is not None:
        return number
    for path in sorted(info.path for info in share.find(target) if _is_experiment(info.path, target)):
        if str(parse_meta(text(share, path, _MAX_META_BYTES)).get("name")) == name:
            return path.split("/")[-2]
    place = f"{target}/{number}"
    meta = {"lifecycle_stage": "active"} | told
    meta |= {"name": name, "experiment_id": number, "artifact_location": _address(share, place)}
    _write_meta(share, f"{place}/meta.yaml", meta)
    return number


def _is_experiment(path: str, target: str) -> bool:
    return path.endswith("/meta.yaml") and path.removeprefix(f"{target}/").count("/") == 1


def _address(share: Share, path: str) -> str:
    """Where MLflow finds a folder of the share; on a share that is not mounted here nobody can say."""
    found = share.local_path(path)
    return found.as_uri() if found else path


def _write_meta(share: Share, path: str, meta: dict[str, Any]) -> None:
    import yaml  # type: ignore[import-untyped]  # has no types of its own

    share.write(path, [yaml.safe_dump(meta).encode()])
