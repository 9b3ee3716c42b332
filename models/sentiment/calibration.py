"""How far scores can be trusted: temperature, expected calibration error, intervals. NumPy; pure."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]


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


def temperature(logits: Floats, labels: Labels, low: float = 0.05, high: float = 20.0) -> float:
    """What to divide logits by so that the likelihood of the labels is greatest (Guo et al. 2017).

    The loss has one minimum over the logarithm of the temperature in practice: found by golden section to 1e-4. Where
    every label is told rightly, or the scores tell nothing, it is `low` or `high`.
    """
    ratio = (math.sqrt(5) - 1) / 2
    left, right = math.log(low), math.log(high)
    inner = right - ratio * (right - left), left + ratio * (right - left)
    loss = [log_loss(logits / math.exp(at), labels) for at in inner]
    while right - left > 1e-4:
        if loss[0] <= loss[1]:
            right, inner, loss[1] = inner[1], (inner[1] - ratio * (inner[1] - left), inner[0]), loss[0]
            loss[0] = log_loss(logits / math.exp(inner[0]), labels)
        else:
            left, inner, loss[0] = inner[0], (inner[1], inner[0] + ratio * (right - inner[0])), loss[1]
            loss[1] = log_loss(logits / math.exp(inner[1]), labels)
    return math.exp((left + right) / 2)


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
