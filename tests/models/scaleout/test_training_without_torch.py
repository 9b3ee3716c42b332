"""A training where PyTorch is not installed."""

from typing import TYPE_CHECKING, cast

import pytest

from common.jobs.errors import JobRefused
from models.scaleout import training
from models.scaleout.training import ScaleoutTraining

if TYPE_CHECKING:
    from common.jobs.train_context import TrainContext


def test_a_training_without_pytorch_is_refused_and_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_NEEDS", ("a_package_that_is_not_there",))
    with pytest.raises(JobRefused, match="a_package_that_is_not_there not installed here; `make torch`"):
        training.train(cast("TrainContext", None), ScaleoutTraining())
