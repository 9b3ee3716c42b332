"""Structural time-series models (Durbin and Koopman 2012, chapter 3), smoothed exactly.

A series of n years is one normal vector, so what the Kalman filter and smoother compute year by year is here one
conditional mean and variance of a Gaussian process (Rasmussen and Williams 2006, chapter 2), with the unknown start
(level, slope) as in exact diffuse initialisation: generalised least squares, and the likelihood of what is left
(Durbin and Koopman, section 7.2). For the 20 to 60 years of an indicator that is faster than a loop, and gaps and ends
need no case of their own. Instead of the likeliest variances all of a grid count, each by its likelihood: with few
observations the likeliest would be far too sure of itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np

from models.timeseries.spec import Floats, Ints

# How many observations the expected size of the steps counts for, beside those of the series.
PRIOR = 1.0


class Family(Enum):
    """What the level does from year to year; an observation is the level and noise."""

    level = "Local level"
    damped = "Damped trend"
    trend = "Local linear trend"


# Variances of level steps, slope steps and noise, and how much of a slope is left a year later.
_GRID: dict[Family, Sequence[tuple[float, float, float, float]]] = {
    Family.level: [(1, 0, noise, 0) for noise in (0, 0.1, 0.3, 1, 3, 10, 100)],
    Family.damped: [
        (1, slope, noise, left) for slope in (0.1, 0.5, 2, 10) for noise in (0, 0.5) for left in (0.6, 0.8, 0.95)
    ],
    Family.trend: [
        *((1, slope, noise, 1) for slope in (0, 0.003, 0.03, 0.3, 3) for noise in (0, 0.3, 3)),
        *((0, 1, noise, 1) for noise in (0, 0.3, 3, 30, 300)),
    ],
}


@dataclass(frozen=True)
class Process:
    """The models of a family over consecutive years, each scaled to steps of about unit variance.

    Attributes:
        covariance: (n_models, n_years, n_years) of the level, up to what its start adds.
        noise: (n_models,) variance of an observation around the level.
        start: (n_years, n_unknown) what an unknown start adds: a constant, and with `trend` a line.
    """

    covariance: Floats
    noise: Floats
    start: Floats


@dataclass(frozen=True)
class Smoothed:
    """Mean and standard deviation of an observation in the years asked for, both (m, k)."""

    mean: Floats
    sd: Floats


@lru_cache(maxsize=64)
def process(family: Family, n_years: int) -> Process:
    age = np.arange(n_years)
    steps = np.minimum.outer(age, age).astype(np.float64)
    later = np.tril(np.ones((n_years, n_years)), -1)
    covariances, noises = [], []
    for level, slope, noise, left in _GRID[family]:
        covariance = level * steps
        apart = np.abs(np.subtract.outer(age, age))
        if family is Family.damped:
            # A slope that has always been there: its variance does not depend on the year.
            covariance = covariance + slope * later @ left**apart @ later.T
        elif slope:
            grown = np.maximum(np.subtract.outer(age, age), 0.0)[:, 1:]
            covariance = covariance + slope * grown @ grown.T
        size = level + 2 * noise + slope
        covariances.append(covariance / size)
        noises.append(noise / size)
    start = np.ones((n_years, 1))
    if family is Family.trend:
        start = np.column_stack([start, (age - age.mean()) / n_years])
    # What is along an unknown start drops out of every result; without it the matrices would be singular.
    return Process(np.stack(covariances) + start @ start.T, np.array(noises), start)


def smooth(family: Family, years: Ints, values: Floats, asked: Ints, steps: Floats) -> Smoothed:
    """What series observed in the same years say of the years asked for.

    Args:
        years: (n,) ascending; values: (n, k) of k series; asked: (m,) other years.
        steps: (k,) expected size of the change from one year to the next, positive.
    """
    first = int(min(years.min(), asked.min()))
    known = process(family, int(max(years.max(), asked.max())) - first + 1)
    i, j = years - first, asked - first
    (n, k), p = values.shape, known.start.shape[1]
    covariance = known.covariance[:, i[:, None], i] + (known.noise[:, None, None] + 1e-9) * np.eye(n)
    cross = known.covariance[:, i[:, None], j]
    shift = values.mean(axis=0)
    y, start = (values - shift) / steps, known.start[i]
    right = np.concatenate([np.broadcast_to(np.hstack([y, start]), (len(cross), n, k + p)), cross], axis=2)
    solved = np.linalg.solve(covariance, right)
    a_y, a_start, a_cross = solved[:, :, :k], solved[:, :, k : k + p], solved[:, :, k + p :]
    gram = start.T @ a_start
    inverse = np.linalg.inv(gram)
    beta = inverse @ (start.T @ a_y)
    rest = np.maximum(np.einsum("nk,gnk->gk", y, a_y) - np.einsum("gpk,gpk->gk", start.T @ a_y, beta), 0.0)
    degrees = PRIOR + n - p
    scale = (PRIOR + rest) / degrees
    fit = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(gram)[1]
    weight = -0.5 * (fit[:, None] + degrees * np.log(scale))
    weight = np.exp(weight - weight.max(axis=0))
    weight /= weight.sum(axis=0)
    mean = known.start[j] @ beta + cross.transpose(0, 2, 1) @ (a_y - a_start @ beta)
    loose = known.start[j] - cross.transpose(0, 2, 1) @ a_start
    variance = known.covariance[:, j, j] + known.noise[:, None] - (cross * a_cross).sum(axis=1)
    variance = np.maximum(variance + ((loose @ inverse) * loose).sum(axis=2), 0.0)
    centre = np.einsum("gk,gmk->mk", weight, mean)
    spread = np.einsum("gk,gmk->mk", weight, scale[:, None, :] * variance[:, :, None] + (mean - centre) ** 2)
    return Smoothed(shift + steps * centre, steps * np.sqrt(spread))
