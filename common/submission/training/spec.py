"""The task that a training on a cluster is. Pure."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from pydantic import ValidationError

from common.errors import Invalid
from common.http.problems import field_errors
from common.settings import CHECKOUT, Settings
from common.submission.config import ClusterConfig
from common.submission.parse import memory_bytes, time_limit_s
from common.submission.spec import TaskSpec
from common.submission.training.wire import ORDER, REQUEST

ENTRY = "train.py"
PROGRAM = b"""\
# A training of a model of Atoll, which has to be installed where this runs.
import runpy

runpy.run_module("common.submission.training.remote", run_name="__main__", alter_sys=True)
"""


# What the query may ask of the cluster: the field of the task, and how it is read.
_ASKED: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "image": ("image", str),
    "partition": ("partition", str),
    "account": ("account", str),
    "time_limit": ("time_limit_s", time_limit_s),
    "memory": ("memory_bytes", memory_bytes),
    "cpus": ("cpus", int),
    "gpus": ("gpus", int),
}
_CALLED = {field: name for name, (field, _) in _ASKED.items()}


def training_spec(model: str, config: ClusterConfig, settings: Settings, query: str = "") -> TaskSpec:
    """The task that trains a model on a cluster.

    Parameters
    ----------
    query : of the training's request; may say what is asked of the cluster, as `memory=2G&gpus=1`.

    Raises
    ------
    Invalid
        Something of that cannot be asked for.
    """
    try:
        return TaskSpec(
            name=f"{model} training",
            cluster=config.name,
            entry_point=ENTRY,
            parameters={"model": model},
            inputs=(ORDER, REQUEST),
            environment=_environment(config, settings),
            requeue=True,
            kind="training",
            **_asked(query),
        )
    except ValidationError as exc:
        (wrong, *_) = field_errors(exc.errors())
        raise Invalid.field(_CALLED.get(wrong.field, wrong.field), wrong.message, wrong.value, where="query") from None


def _asked(query: str) -> dict[str, Any]:
    given = parse_qs(query)
    found: dict[str, Any] = {}
    for name, (field, read) in _ASKED.items():
        if name in given:
            try:
                found[field] = read(given[name][-1])
            except ValueError as exc:
                raise Invalid.field(name, str(exc), given[name][-1], where="query") from None
    return found


def _environment(config: ClusterConfig, settings: Settings) -> dict[str, str]:
    """Where the training finds the share, and, on this machine, this very installation."""
    found: dict[str, str] = {}
    storage = settings.storage
    if config.share:
        found["FILE_SHARE"] = config.share
    if config.kind == "local":
        found["PYTHONPATH"] = str(CHECKOUT)
        if storage.share_url is None:
            found["FILE_SHARE"] = str(storage.share_dir.absolute())
        if storage.dataset_path is not None:
            found["DATASET_PATH"] = str(storage.dataset_path.absolute())
    # What the cluster's own section says goes before.
    return {name: value for name, value in found.items() if name not in config.environment}
