"""A law of cost, learnt as it is used: seconds are a sum over parts, each with a multiplier of its own.

    seconds = exp(speed) * sum over parts of exp(multiplier) * expected seconds of the part

The logarithm is a smooth function of speed and multipliers, whose slope is the share that each part has in the sum. So
every measurement moves them by one step of recursive least squares on the linearised law (the extended form: Ljung and
Söderström 1983, chapter 2), with two safeguards. What was learnt is forgotten towards what was believed at first
(stabilised forgetting: Kulhavy and Zarrop 1993), so that parts that are not asked for neither freeze nor blow up. And
a measurement that the law thinks next to impossible counts only as far as it is possible (Huber 1964): one question may
be unlike all others. Where several in a row are off to the same side the machine has changed, and more is forgotten (a
variable forgetting factor, after Fortescue, Kershenbaum and Ydstie 1981).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.imputation.spec import Floats

# Beliefs at first, as standard deviations of logarithms: how far machines differ, and how far one part does from that.
_SPEED, _PART = 0.8, 0.4
# What a measurement differs by that nothing explains.
_NOISE = 0.15
# The share of what was known that the next measurement leaves: half is gone after 70 of them.
_KEPT = 0.99
# In standard deviations: what is next to impossible, and what the running mean is off by where the machine has changed.
_OUTLIER, _CHANGED = 2.5, 1.0
# What the running mean keeps with each measurement; and what the law then keeps of what it knew.
_RUNNING, _KEPT_ON_CHANGE = 0.8, 0.7
# No machine is a thousand times slower than ours; and the sum of both stays far from overflow.
_LIMIT = 7.0


@dataclass(frozen=True)
class Law:
    """What is known of the cost.

    Attributes:
        expected_s: (n_parts,) seconds that a unit of each part takes before anything is measured, positive.
        mean: (1 + n_parts,) logarithms: of the speed, then of the multiplier of each part.
        information: (1 + n_parts, 1 + n_parts) inverse covariance of the mean, symmetric and positive definite.
        count: measurements so far.
        drift: running mean of how far measurements were off, in standard deviations.
    """

    expected_s: Floats
    mean: Floats
    information: Floats
    count: int = 0
    drift: float = 0.0

    @classmethod
    def new(cls, expected_s: Sequence[float]) -> "Law":
        """Before any measurement."""
        return cls(np.array(expected_s, dtype=np.float64), np.zeros(1 + len(expected_s)), _belief(len(expected_s)))

    def seconds(self, units: Floats) -> float:
        """Expected seconds of a question with so many units (n_parts,) of each part: positive where any unit is."""
        return float(np.exp(self.mean[0]) * self._terms(units).sum())

    def learnt(self, units: Floats, seconds: float) -> "Law":
        """The law after a measurement; the same law for one that is no time at all, or none of the work."""
        terms = self._terms(units)
        total = float(terms.sum())
        if not (np.isfinite(seconds) and seconds > 0 and np.isfinite(total) and total > 0):
            return self
        slope = np.concatenate([[1.0], terms / total])
        off = float(np.log(seconds) - self.mean[0] - np.log(total))
        kept = _KEPT if abs(self.drift) < _CHANGED else _KEPT_ON_CHANGE
        known = kept * self.information + (1.0 - kept) * _belief(len(self.expected_s))
        unsure = float(np.sqrt(slope @ np.linalg.solve(known, slope) + _NOISE**2))
        surprise = float(np.clip(off / unsure, -_OUTLIER, _OUTLIER))
        information = known + np.outer(slope, slope) / _NOISE**2
        step = np.linalg.solve(information, slope) * (surprise * unsure / _NOISE**2)
        return Law(
            self.expected_s,
            np.clip(self.mean + step, -_LIMIT, _LIMIT),
            information,
            self.count + 1,
            _RUNNING * self.drift + (1.0 - _RUNNING) * surprise,
        )

    def _terms(self, units: Floats) -> Floats:
        terms: Floats = np.exp(self.mean[1:]) * self.expected_s * units
        return terms


def _belief(n_parts: int) -> Floats:
    return np.diag(np.array([_SPEED] + [_PART] * n_parts, dtype=np.float64) ** -2)
