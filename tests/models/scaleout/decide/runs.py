"""Made-up runs and forecasts."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.scaleout.decide.plan import Remaining
from models.scaleout.records import Application, Context, Forecast, JobExecution

CONTEXT = Context(system="spark", algorithm="made-up")


def forecast(median_s: float, spread: float = 0.1, model: str = "made-up") -> Forecast:
    """Log-normal of this deviation."""
    low90, low80, high80, high90 = (median_s * math.exp(spread * z) for z in (-1.6449, -1.2816, 1.2816, 1.6449))
    return Forecast(median_s, low80, high80, low90, high90, model)


def scaling(work_s: float, fixed_s: float = 0.0, spread: float = 0.1) -> Remaining:
    """What perfectly scalable work and a fixed part take."""
    return lambda scale_outs: [forecast(fixed_s + work_s / at, spread) for at in scale_outs]


def run(
    scale_out: int,
    times_s: Sequence[float] | NDArray[np.float64],
    *,
    number: int = 0,
    target_s: float | None = None,
) -> Application:
    """Jobs one after the other at one scale-out."""
    jobs, clock = [], 1_000.0
    for job_id, time_s in enumerate(times_s):
        jobs.append(JobExecution(job_id, clock, clock + time_s, scale_out, scale_out))
        clock += time_s
    return Application(
        f"run-{number}",
        CONTEXT,
        target_s=target_s,
        start_s=1_000.0,
        end_s=clock,
        start_scale_out=scale_out,
        end_scale_out=scale_out,
        jobs=tuple(jobs),
    )


def history(scale_outs: Sequence[int], *, seed: int = 0, noise: float = 0.02, jobs: int = 6) -> list[Application]:
    """Runs whose jobs take 10 s and 120 s by their executors, the whole run faster or slower."""
    rng = np.random.default_rng(seed)
    return [
        run(at, (10 + 120 / at) * np.exp(rng.normal(0, noise) + rng.normal(0, noise, jobs)), number=number)
        for number, at in enumerate(scale_outs)
    ]
