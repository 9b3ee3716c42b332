"""What a forecast says beside its median: the chance of at most so long, and the time at a probability.

Between the five quantiles that a forecast gives, and beyond them, the logarithm of the time is taken as linear in the
normal score of the probability: a log-normal whose two tails may differ.
"""

import math
from statistics import NormalDist

from models.scaleout.records import Forecast

_NORMAL = NormalDist()
_SCORES = tuple(_NORMAL.inv_cdf(p) for p in (0.05, 0.1, 0.5, 0.9, 0.95))
# A forecast without a spread is still no certainty; and no time is too short for a logarithm.
_LEAST_SLOPE, _LEAST_S = 0.005, 1e-3


def chance(forecast: Forecast, within_s: float) -> float:
    """The probability, in 0 to 1, that it takes at most `within_s` seconds."""
    if within_s <= 0:
        return 0.0
    logs, asked = _logs(forecast), math.log(max(within_s, _LEAST_S))
    at = sum(asked > log for log in logs[1:-1])
    slope = (logs[at + 1] - logs[at]) / (_SCORES[at + 1] - _SCORES[at])
    return _NORMAL.cdf(_SCORES[at] + (asked - logs[at]) / max(slope, _LEAST_SLOPE))


def quantile(forecast: Forecast, probability: float) -> float:
    """The seconds that it takes at most with a probability between 0 and 1, both excluded."""
    logs, score = _logs(forecast), _NORMAL.inv_cdf(probability)
    at = sum(score > known for known in _SCORES[1:-1])
    slope = (logs[at + 1] - logs[at]) / (_SCORES[at + 1] - _SCORES[at])
    return math.exp(logs[at] + max(slope, _LEAST_SLOPE) * (score - _SCORES[at]))


def usable(forecast: Forecast) -> bool:
    """Whether all its times are finite and none is negative."""
    return all(math.isfinite(time) and time >= 0 for time in _times(forecast))


def _times(forecast: Forecast) -> tuple[float, ...]:
    return (forecast.low90_s, forecast.low80_s, forecast.median_s, forecast.high80_s, forecast.high90_s)


def _logs(forecast: Forecast) -> list[float]:
    # Quantiles that were learned apart may cross: sorting is the usual cure (Chernozhukov et al., Econometrica 2010).
    return sorted(math.log(max(time, _LEAST_S)) for time in _times(forecast))
