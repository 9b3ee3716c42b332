"""Bell: Ernest where few scale-outs are known, local-linear regression where enough are, whichever predicts better.

Thamsen et al., "Selecting Resources for Distributed Dataflow Systems According to Runtime Targets", IPCCC 2016. The
choice is by leave-one-scale-out-out cross-validation: leaving single runs out would favour what interpolates between
repetitions.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from models.scaleout.learning.ernest import Ernest, Floats

# Below so many different scale-outs a local model has nothing to be local in.
_FEWEST = 4


class Curve(Protocol):
    """Run times by scale-out."""

    def predict(self, scale_outs: ArrayLike) -> Floats: ...


@dataclass(frozen=True)
class LocalLinear:
    """Linear regression around each point, runs weighted by a Gaussian of the distance in ln x.

    Attributes
    ----------
    bandwidth : of the Gaussian, in ln x.
    """

    scale_outs: Floats
    runtimes_s: Floats
    bandwidth: float

    def predict(self, scale_outs: ArrayLike) -> Floats:
        """(m,) seconds; beyond the known scale-outs those at the border."""
        known, asked = np.log(self.scale_outs), np.log(np.atleast_1d(np.asarray(scale_outs, float)))
        asked = np.clip(asked, known.min(), known.max())
        distance = known[None, :] - asked[:, None]
        weight = np.exp(-0.5 * (distance / self.bandwidth) ** 2) + 1e-12
        total = weight.sum(1)
        mean_x = (weight * distance).sum(1) / total
        mean_t = (weight * self.runtimes_s).sum(1) / total
        spread = (weight * (distance - mean_x[:, None]) ** 2).sum(1)
        covary = (weight * (distance - mean_x[:, None]) * (self.runtimes_s - mean_t[:, None])).sum(1)
        slope = np.divide(covary, spread, out=np.zeros_like(covary), where=spread > 1e-9)
        predicted: Floats = np.maximum(mean_t - slope * mean_x, 0.05 * self.runtimes_s.min())
        return predicted


@dataclass(frozen=True)
class Bell:
    """What was chosen, and the error it was chosen by.

    Attributes
    ----------
    name : `ernest` or `local-linear`.
    error : mean relative error over the scale-outs left out; NaN where too few were known to tell.
    """

    curve: Curve
    name: str
    error: float

    @classmethod
    def fit(cls, scale_outs: ArrayLike, runtimes_s: ArrayLike) -> "Bell":
        """As `Ernest.fit`."""
        x, t = np.asarray(scale_outs, float), np.asarray(runtimes_s, float)
        different = np.unique(x)
        if different.size < _FEWEST:
            return cls(Ernest.fit(x, t), "ernest", float("nan"))
        bandwidth = 1.5 * float(np.median(np.diff(np.log(different))))
        errors = {"ernest": 0.0, "local-linear": 0.0}
        for left_out in different:
            known, asked = x != left_out, np.array([left_out])
            actual = t[~known]
            curves: dict[str, Curve] = {
                "ernest": Ernest.fit(x[known], t[known]),
                "local-linear": LocalLinear(x[known], t[known], bandwidth),
            }
            for name, curve in curves.items():
                errors[name] += float(np.mean(np.abs(curve.predict(asked) - actual) / actual)) / different.size
        if errors["local-linear"] < errors["ernest"]:
            return cls(LocalLinear(x, t, bandwidth), "local-linear", errors["local-linear"])
        return cls(Ernest.fit(x, t), "ernest", errors["ernest"])

    def predict(self, scale_outs: ArrayLike) -> Floats:
        """(m,) seconds."""
        return self.curve.predict(scale_outs)
