"""The task that a training on a cluster is. Pure."""

from common.settings import CHECKOUT, Settings
from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec
from common.submission.training.wire import ORDER, REQUEST

ENTRY = "train.py"
PROGRAM = b"""\
# A training of a model of Atoll, which has to be installed where this runs.
import runpy

runpy.run_module("common.submission.training.remote", run_name="__main__", alter_sys=True)
"""


def training_spec(model: str, config: ClusterConfig, settings: Settings) -> TaskSpec:
    """The task that trains a model on a cluster."""
    return TaskSpec(
        name=f"{model} training",
        cluster=config.name,
        entry_point=ENTRY,
        parameters={"model": model},
        inputs=(ORDER, REQUEST),
        environment=_environment(config, settings),
        requeue=True,
        kind="training",
    )


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
