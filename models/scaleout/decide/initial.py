"""With how many executors a run starts.

The smallest scale-out whose upper quantile meets the target, unless one that is a little less likely to meet it costs
so much less that the target is not worth the difference (`Rules`). Where fewer runs are known than a curve needs,
bounds take its place that hold for every run that neither slows down by executors more nor speeds up by more than their
share: a cautious walk down from the most executors, one run at a time.
"""

from collections.abc import Iterable, Sequence

from models.scaleout.decide.chance import chance, usable
from models.scaleout.decide.cost import Rules, cheapest, executor_minutes, safest
from models.scaleout.decide.plan import Choice, Plan, Remaining, bounds

# So much more than the known run the next one may take, by the number of runs known: what is left for chance.
_MARGINS = (1.3, 1.2)
_FEWEST_RUNS, _FEWEST_SCALE_OUTS = 3, 2
# Beyond known scale-outs a first step is no longer than this ratio: memory runs out suddenly.
_STEP = 0.5


def initial(
    low: int,
    high: int,
    target_s: float | None,
    runs: Iterable[tuple[int, float]],
    remaining: Remaining | None,
    *,
    rules: Rules | None = None,
) -> Plan:
    """
    Parameters
    ----------
    low, high : the scale-outs allowed.
    target_s : None where any time will do; then the fewest executor-minutes win.
    runs : (scale-out, seconds) of finished runs of the same, that kept their scale-out.
    remaining : forecasts for the whole run; None where no model is there.
    rules : what meeting the target is worth.

    Raises
    ------
    ValueError
        No scale-out is allowed.
    """
    allowed, known, rules = bounds(low, high), list(runs), rules or Rules()
    if len(known) < _FEWEST_RUNS or len({x for x, _ in known}) < _FEWEST_SCALE_OUTS or remaining is None:
        return _cautious(allowed, target_s, known)
    forecasts = list(remaining(allowed))
    if len(forecasts) != len(allowed) or not all(usable(forecast) for forecast in forecasts):
        return _cautious(allowed, target_s, known)
    choices = tuple(
        Choice(
            scale_out,
            forecast,
            1.0 if target_s is None else chance(forecast, target_s),
            executor_minutes(scale_out, forecast.median_s),
        )
        for scale_out, forecast in zip(allowed, forecasts, strict=True)
    )
    if target_s is None:
        best = cheapest(choices)
        why = "there is no target: the fewest executor-minutes"
    else:
        best, why = _pick(choices, target_s, rules)
    probability = None if target_s is None else best.probability
    return Plan(best.scale_out, probability, best.executor_minutes, why, best.forecast.model, choices=choices)


def _pick(choices: Sequence[Choice], target_s: float, rules: Rules) -> tuple[Choice, str]:
    safe = safest(choices, rules.confidence)
    if safe.probability >= rules.confidence:
        why = f"the cheapest that meets the target with a chance of {rules.confidence:.0%}"
    else:
        why = f"none meets the target with a chance of {rules.confidence:.0%}: the best chance"
    losses = {choice.scale_out: rules.loss(choice, target_s, target_s, safe.executor_minutes) for choice in choices}
    best = min(choices, key=lambda choice: (losses[choice.scale_out], choice.scale_out))
    if losses[best.scale_out] < losses[safe.scale_out] - rules.change * safe.executor_minutes:
        return best, f"a chance of {safe.probability:.0%} would cost too much more"
    return safe, why


def _cautious(allowed: range, target_s: float | None, known: Sequence[tuple[int, float]]) -> Plan:
    """For want of a curve."""
    name = f"bounds of {len(known)} run{'' if len(known) == 1 else 's'}"
    inside = [(scale_out, time_s) for scale_out, time_s in known if scale_out >= 1 and time_s > 0]
    if not inside or target_s is None:
        return Plan(allowed[-1], None, None, "nothing is known of such runs: the most executors allowed", name)
    margin = _MARGINS[min(len(inside), len(_MARGINS)) - 1]
    fewest = min(scale_out for scale_out, _ in inside)
    for scale_out in allowed:
        if scale_out >= _STEP * fewest and margin * worst_s(scale_out, inside) <= target_s:
            why = "the fewest executors that meet the target even if each one less costs its full share"
            return Plan(scale_out, None, scale_out * worst_s(scale_out, inside) / 60, why, name)
    return Plan(allowed[-1], None, None, "no known run shows how to meet the target: the most executors allowed", name)


def worst_s(scale_out: int, known: Sequence[tuple[int, float]]) -> float:
    """The longest that it takes as long as more executors do no harm, and fewer no more than their share."""
    return min(time_s * max(1.0, at / scale_out) for at, time_s in known)
