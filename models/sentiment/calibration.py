"""How far scores can be trusted: mixing margins, expected calibration error, intervals. NumPy; pure."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]

_PENALTY = 1e-4
_MOST_STEPS = 200


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Probabilities over the last axis."""
    logits = logits.astype(np.float64)
    away = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = away / away.sum(axis=-1, keepdims=True)
    return shares


def log_loss(logits: Floats, labels: Labels) -> float:
    """Mean negative log likelihood of the labels, in nats. logits: (n, classes); labels: (n,)."""
    logits = logits.astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float(np.mean(total - logits[np.arange(len(labels)), labels]))


def mix(margins: Floats, labels: Labels) -> NDArray[np.float64]:
    """What to multiply each of several margins with, so that their sum is calibrated: the likelihood of the labels is
    greatest, up to a slight penalty that keeps it finite. With one margin it is the inverse of a temperature (Guo et
    al. 2017).

    Parameters
    ----------
    margins : (n, models), log-odds of the second class.

    Returns
    -------
    (models,), by Newton's method.
    """
    margins = margins.astype(np.float64)
    count, models = margins.shape
    penalty = _PENALTY * np.eye(models)
    weights = np.full(models, 1 / models)
    for _ in range(_MOST_STEPS):
        found = 1 / (1 + np.exp(-np.clip(margins @ weights, -30, 30)))
        slope = margins.T @ (found - labels) / count + penalty @ weights
        bend = (margins.T * (found * (1 - found))) @ margins / count + penalty
        step = np.linalg.solve(bend, slope)
        # A long step overshoots where the scores are almost certain.
        weights -= step * min(1.0, 1 / float(np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return weights


def calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error: how far the confidence in the class told is from the share told rightly, in bins of
    equal width, weighted by their texts (Naeini et al. 2015). probabilities: (n, classes). 0 is perfect."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, confidence, bins) - np.bincount(place, right, bins)
    return float(np.abs(gap).sum() / len(labels))


def interval(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share, `right` of `total` (Wilson 1927)."""
    share, weight = right / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return middle - reach, middle + reach
