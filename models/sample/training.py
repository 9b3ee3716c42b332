"""Training, the ten lines to copy: a search for a straight line, whose best one is published."""

import math
from typing import TYPE_CHECKING, Annotated, Any, Self

import orjson
from pydantic import Field, model_validator

from common.plugins import BaseDefinition, Whole, param

if TYPE_CHECKING:
    from optuna import Trial

    from common.jobs.train_context import TrainContext


# Text and true are no numbers here.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class SampleTraining(BaseDefinition):
    """What to learn from, and for how long."""

    x: list[Number] = param(title="x", description="What is known.", example=[0, 1, 2, 3], min_length=1)
    y: list[Number] = param(title="y", description="What is to be predicted, one each.", example=[1, 3, 5, 7])
    trials: Whole = param(50, title="Trials", description="Lines to try.", ge=1, le=1000)
    seed: Whole = param(0, title="Seed", description="The same seed finds the same line.", ge=0)

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"x has {len(self.x)} values and y {len(self.y)}; give as many of each")
        return self


def train(context: "TrainContext", request: SampleTraining) -> None:
    """Finds the straight line through points, and publishes it as JSON."""

    def error(line: dict[str, Any], trial: "Trial") -> float:
        found = [line["slope"] * x + line["intercept"] for x in request.x]
        return math.dist(found, request.y) / math.sqrt(len(found))

    best = context.optimize(error, request.trials, seed=request.seed)
    context.publish({"line.json": orjson.dumps(best)}, {"rmse": context.best_value})
