"""What a request or a job takes, as measured (docs/performance.md), and how it varies."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Draws = Callable[[np.random.Generator, int], NDArray[np.float64]]

# A core of Standard_DS2_v2 beside one of the EPYC server that was measured: assumed, not measured.
SLOWER = 1.3
_P95 = 1.6449


@dataclass(frozen=True)
class Work:
    """A kind of request.

    Parameters
    ----------
    cpu_s : mean CPU time on the measured machine, in seconds.
    spread : standard deviation of its logarithm; 0 for always the same.
    source : where the figure is from.
    """

    name: str
    cpu_s: float
    spread: float
    source: str

    def draw(self, generator: np.random.Generator, number: int, slower: float = SLOWER) -> NDArray[np.float64]:
        """Service times (number,) in seconds; lognormal with the mean `slower * cpu_s`."""
        return lognormal(generator, number, slower * self.cpu_s, self.spread)


def lognormal(generator: np.random.Generator, number: int, mean: float, spread: float) -> NDArray[np.float64]:
    """Draws (number,) of a lognormal distribution with this mean; `spread` is the deviation of the logarithm."""
    return generator.lognormal(math.log(mean) - spread**2 / 2, spread, number)


def spread_of(median: float, p95: float) -> float:
    """The spread of the lognormal distribution that has these two."""
    return math.log(p95 / median) / _P95


CACHED = Work("answer that is kept", 0.000186, 0.3, "sentiment, 10 users, mixture: 186 µs of CPU a request")
SENTIMENT = Work("new text of 16 tokens", 0.00467, 0.3, "sentiment, c=16, one process: 4.67 ms of CPU a text")
IMPUTATION = Work(
    "imputation, 1 predictor", 0.053, spread_of(0.040, 0.099), "world: 53 ms of CPU; median 40, p95 99 ms"
)
SELECTION = Work("imputation, AFS, 100 trees", 0.463, spread_of(0.398, 0.720), "world: 463 ms of CPU")
TRAINING = Work("training", 300.0, 0.8, "assumed: five minutes")
