"""A Gaussian process of few points with a linear trend and priors on everything, so that three points do no harm.

The covariance is that of a Bayesian linear regression (the trend, whose slopes have a prior mean and deviation) plus a
Matérn kernel of smoothness 5/2 with a length for each feature, plus noise; lengths, amplitude and noise are those of
the largest posterior density, found by L-BFGS with the analytic gradient. Rasmussen & Williams, "Gaussian Processes for
Machine Learning", MIT Press 2006, sections 2.7, 4.2 and 5.4. scikit-learn's own takes several times as long, since it
keeps the derivatives for all features at once, and knows no priors of hyper-parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

Floats = NDArray[np.float64]

# Natural logarithms: medians and deviations of the priors. Lengths are in deviations of the trend's slopes.
_LENGTH, _AMPLITUDE, _NOISE = (0.0, 1.0), (-1.2, 0.8), (-3.5, 0.8)
_BOUND = 4.0
_ROOT5 = np.sqrt(5.0)
_JITTER = 1e-8


@dataclass(frozen=True)
class Trend:
    """What is supposed of a feature's slope before a point is seen.

    Parameters
    ----------
    mean, deviation : (n_features,) of the slope; a deviation also scales the feature for the kernel.
    """

    mean: Floats
    deviation: Floats


@dataclass(frozen=True)
class Process:
    """A fitted process.

    Attributes
    ----------
    hyper : logarithms of the lengths (n_features), the amplitude and the noise's deviation.
    """

    trend: Trend
    centre: Floats
    level: float
    hyper: Floats
    points: Floats
    solved: Floats
    factor: Floats

    @classmethod
    def fit(cls, X: Floats, y: Floats, trend: Trend, *, start: Floats | None = None, steps: int = 40) -> "Process":
        """
        Parameters
        ----------
        X : (n, n_features).
        y : (n,) of the order of 1: logarithms of run times, say.
        start : `hyper` of a process that was fitted to almost the same points.
        """
        from scipy.optimize import minimize

        centre = X.mean(0)
        Z, rest = (X - centre) * trend.deviation, y - (X - centre) @ trend.mean
        level = float(np.median(rest))
        rest = rest - level
        # The level is as unknown as a slope.
        linear = Z @ Z.T + 1.0
        squares = [np.subtract.outer(column, column) ** 2 for column in Z.T]
        prior = np.array([_LENGTH] * X.shape[1] + [_AMPLITUDE, _NOISE])
        begin = prior[:, 0] if start is None else start
        found = minimize(
            _loss,
            begin,
            args=(linear, squares, rest, prior),
            jac=True,
            method="L-BFGS-B",
            bounds=[(mean - _BOUND * sd, mean + _BOUND * sd) for mean, sd in prior],
            options={"maxiter": steps},
        )
        covariance = linear + _matern(found.x, squares)[0] + np.eye(len(y)) * (np.exp(2 * found.x[-1]) + _JITTER)
        factor = cholesky(covariance, lower=True)
        return cls(trend, centre, level, found.x, Z, cho_solve((factor, True), rest), factor)

    @property
    def noise(self) -> float:
        """Deviation of single points around the process."""
        return float(np.exp(self.hyper[-1]))

    def predict(self, X: Floats) -> tuple[Floats, Floats]:
        """Mean and deviation (m,) of a new point at each row of `X` (m, n_features), its noise included."""
        Z = (X - self.centre) * self.trend.deviation
        across = [np.subtract.outer(one, other) ** 2 for one, other in zip(Z.T, self.points.T, strict=True)]
        shared = Z @ self.points.T + 1.0 + _matern(self.hyper, across)[0]
        mean = shared @ self.solved + self.level + (X - self.centre) @ self.trend.mean
        explained = solve_triangular(self.factor, shared.T, lower=True)
        own = (Z**2).sum(1) + 1.0 + np.exp(2 * self.hyper[-2]) + self.noise**2
        return mean, np.sqrt(np.maximum(own - (explained**2).sum(0), self.noise**2))


def _matern(hyper: Floats, squares: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """The covariance, and what its derivatives by the lengths are multiples of."""
    scales = np.exp(-2 * hyper[:-2])
    distance = np.sqrt(sum(scale * square for scale, square in zip(scales, squares, strict=True)))
    amplitude, decay = np.exp(2 * hyper[-2]), np.exp(-_ROOT5 * distance)
    covariance = amplitude * (1 + _ROOT5 * distance + 5.0 / 3.0 * distance**2) * decay
    return covariance, amplitude * 5.0 / 3.0 * (1 + _ROOT5 * distance) * decay, scales


def _loss(hyper: Floats, linear: Floats, squares: list[Floats], y: Floats, prior: Floats) -> tuple[float, Floats]:
    """Minus the logarithm of the posterior density, and its gradient."""
    smooth, common, scales = _matern(hyper, squares)
    noise = np.exp(2 * hyper[-1])
    covariance = linear + smooth
    covariance.flat[:: len(y) + 1] += noise + _JITTER
    factor = cholesky(covariance, lower=True, check_finite=False)
    solved = cho_solve((factor, True), y, check_finite=False)
    inverse = cho_solve((factor, True), np.eye(len(y)), check_finite=False)
    outer = np.outer(solved, solved) - inverse
    shared = outer * common
    by_length = [0.5 * scale * np.vdot(shared, square) for scale, square in zip(scales, squares, strict=True)]
    gradient = -np.array([*by_length, np.vdot(outer, smooth), noise * np.trace(outer)])
    away = (hyper - prior[:, 0]) / prior[:, 1]
    loss = 0.5 * y @ solved + np.log(np.diag(factor)).sum() + 0.5 * away @ away
    return float(loss), gradient + away / prior[:, 1]
