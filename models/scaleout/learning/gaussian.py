"""A Gaussian process of few points with a linear trend and priors on everything, so that three points do no harm.

The covariance is that of a Bayesian linear regression (the trend, whose slopes have a prior mean and deviation), plus
one that adds up over the features, plus one of all features together with a length for each (both Matérn of smoothness
5/2), plus noise. What adds up takes the steps that a single feature makes (from 3 to 5 clusters, say), so that the
lengths need not. Lengths, amplitudes and noise are those of the largest posterior density, found by L-BFGS with the
analytic gradient. Rasmussen & Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, sections 2.7, 4.2
and 5.4; leaving one out in closed form is section 5.4.2; additive covariances are from Duvenaud et al., "Additive
Gaussian Processes", NIPS 2011. scikit-learn's own takes several times as long, and knows no priors of hyper-parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Natural logarithms: medians and deviations of the priors. Lengths are in multiples of a feature's scale.
_LENGTH, _ADDITIVE, _AMPLITUDE, _NOISE = (0.0, 1.0), (-1.8, 0.8), (-1.8, 0.8), (-4.0, 0.8)
# Of what adds up the lengths are fixed: to learn them gains nothing and takes four times as long.
_ADDITIVE_LENGTH = float(np.exp(-1.5))
_BOUND = 4.0
_ROOT5 = np.sqrt(5.0)
_JITTER = 1e-8
# Relative, of the logarithm of the posterior density; a closer search changes predictions by less than a thousandth.
_TOLERANCE = 1e-5
# A point further from what the others say than so many deviations counts less (as under Student's noise).
_FAR, _FREEDOM, _FEWEST_ROBUST = 4.0, 4.0, 8


@dataclass(frozen=True)
class Trend:
    """What is supposed of the features before a point is seen.

    Parameters
    ----------
    mean, deviation : (n_features,) of the slope.
    scale : (n_features,) what a feature is multiplied by for the covariances that are not linear.
    """

    mean: Floats
    deviation: Floats
    scale: Floats


@dataclass(frozen=True)
class Process:
    """A fitted process.

    Attributes
    ----------
    hyper : logarithms of the lengths (n_features), of the deviations of what adds up, of all together and of the noise.
    doubt : (n,) what each point's noise variance is multiplied by; more than 1 for what looks like an outlier.
    """

    trend: Trend
    centre: Floats
    level: float
    hyper: Floats
    points: Floats
    targets: Floats
    doubt: Floats
    solved: Floats
    inverse: Floats

    @classmethod
    def fit(cls, X: Floats, y: Floats, trend: Trend, *, steps: int = 40, robust: bool = True) -> "Process":
        """
        Parameters
        ----------
        X : (n, n_features), n at least 1.
        y : (n,) of the order of 1: logarithms of run times, say.
        steps : of the search; 0 takes the medians of the priors, which is all that one or two points allow.
        robust : points that the others contradict count less.
        """
        doubt = np.ones(len(y))
        fitted = cls._fit(X, y, trend, doubt, steps, None)
        if not robust or len(y) < _FEWEST_ROBUST:
            return fitted
        mean, deviation = fitted.left_out()
        away = np.abs(y - mean) / deviation
        if away.max() <= _FAR:
            return fitted
        doubt = np.where(away > _FAR, (_FREEDOM + away**2) / (_FREEDOM + 1.0), 1.0)
        return cls._fit(X, y, trend, doubt, steps // 2, fitted.hyper)

    @classmethod
    def _fit(cls, X: Floats, y: Floats, trend: Trend, doubt: Floats, steps: int, start: Floats | None) -> "Process":
        from scipy.optimize import minimize

        centre = X.mean(0)
        rest = y - (X - centre) @ trend.mean
        level = float(np.median(rest))
        rest = rest - level
        known = _Known.of(X - centre, X - centre, trend)
        prior = np.array([_LENGTH] * X.shape[1] + [_ADDITIVE, _AMPLITUDE, _NOISE])
        hyper = prior[:, 0] if start is None else start
        if steps:
            hyper = minimize(
                _loss,
                hyper,
                args=(known, rest, doubt, prior),
                jac=True,
                method="L-BFGS-B",
                bounds=[(mean - _BOUND * sd, mean + _BOUND * sd) for mean, sd in prior],
                options={"maxiter": steps, "ftol": _TOLERANCE},
            ).x
        covariance = known.covariance(hyper)[0]
        covariance.flat[:: len(y) + 1] += np.exp(2 * hyper[-1]) * doubt + _JITTER
        inverse, _ = _invert(covariance)
        return cls(trend, centre, level, hyper, X, y, doubt, inverse @ rest, inverse)

    @property
    def noise(self) -> float:
        """Deviation of single points around the process."""
        return float(np.exp(self.hyper[-1]))

    def predict(self, X: Floats) -> tuple[Floats, Floats]:
        """Mean and deviation (m,) of a new point at each row of `X` (m, n_features), its noise included."""
        away = X - self.centre
        shared = _Known.of(away, self.points - self.centre, self.trend).covariance(self.hyper)[0]
        mean = shared @ self.solved + self.level + away @ self.trend.mean
        additive, amplitude = np.exp(2 * self.hyper[-3:-1])
        own = ((away * self.trend.deviation) ** 2).sum(1) + 1.0 + additive * X.shape[1] + amplitude + self.noise**2
        explained = np.einsum("ij,jk,ik->i", shared, self.inverse, shared, optimize=True)
        return mean, np.sqrt(np.maximum(own - explained, self.noise**2))

    def left_out(self) -> tuple[Floats, Floats]:
        """Mean and deviation (n,) at each of the points, from all others but with the same hyper-parameters."""
        variance = 1.0 / np.diag(self.inverse)
        return self.targets - self.solved * variance, np.sqrt(variance)


@dataclass(frozen=True)
class _Known:
    """What of a covariance between rows and columns does not hang on the hyper-parameters."""

    linear: Floats
    additive: Floats
    squares: Floats

    @classmethod
    def of(cls, rows: Floats, columns: Floats, trend: Trend) -> "_Known":
        linear = (rows * trend.deviation) @ (columns * trend.deviation).T + 1.0  # the level is as unknown as a slope
        scaled = zip((rows * trend.scale).T, (columns * trend.scale).T, strict=True)
        squares = np.array([np.subtract.outer(row, column) ** 2 for row, column in scaled])
        additive: Floats = np.sum([_matern(np.sqrt(square) / _ADDITIVE_LENGTH)[0] for square in squares], axis=0)
        return cls(linear, additive, squares.reshape(len(squares), -1))

    def covariance(self, hyper: Floats) -> tuple[Floats, Floats, Floats]:
        """It, the part that all features make together, and what that part's derivatives are multiples of."""
        distance = np.sqrt(np.exp(-2 * hyper[:-3]) @ self.squares).reshape(self.linear.shape)
        together, common = _matern(distance)
        amplitude = np.exp(2 * hyper[-2])
        together *= amplitude
        return self.linear + np.exp(2 * hyper[-3]) * self.additive + together, together, amplitude * common


def _matern(distance: Floats) -> tuple[Floats, Floats]:
    """The covariance of variance 1, and minus its derivative by half the squared distance."""
    decay = np.exp(-_ROOT5 * distance)
    linear = 1.0 + _ROOT5 * distance
    return (linear + 5.0 / 3.0 * distance**2) * decay, 5.0 / 3.0 * linear * decay


def _invert(covariance: Floats) -> tuple[Floats, float]:
    """The inverse, and half the logarithm of the determinant."""
    from scipy.linalg import cholesky
    from scipy.linalg.lapack import dpotri

    factor = cholesky(covariance, lower=True, check_finite=False)
    lower, _ = dpotri(factor, lower=1)
    lower = np.tril(lower)
    inverse = lower + lower.T
    inverse.flat[:: len(inverse) + 1] *= 0.5
    return inverse, float(np.log(np.diag(factor)).sum())


def _loss(hyper: Floats, known: _Known, y: Floats, doubt: Floats, prior: Floats) -> tuple[float, Floats]:
    """Minus the logarithm of the posterior density, and its gradient."""
    covariance, together, common = known.covariance(hyper)
    additive, noise = np.exp(2 * hyper[-3]), np.exp(2 * hyper[-1])
    covariance.flat[:: len(y) + 1] += noise * doubt + _JITTER
    inverse, half_log_determinant = _invert(covariance)
    solved = inverse @ y
    outer = np.outer(solved, solved) - inverse
    by_length = 0.5 * np.exp(-2 * hyper[:-3]) * (known.squares @ (outer * common).ravel())
    rest = [additive * np.vdot(outer, known.additive), np.vdot(outer, together), noise * np.diag(outer) @ doubt]
    away = (hyper - prior[:, 0]) / prior[:, 1]
    loss = 0.5 * y @ solved + half_log_determinant + 0.5 * away @ away
    return float(loss), away / prior[:, 1] - np.concatenate([by_length, rest])
