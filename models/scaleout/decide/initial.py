"""With how many executors a run starts.

The smallest scale-out whose upper quantile meets the target, unless one that is a little less likely to meet it costs
so much less that the target is not worth the difference (`Rules`). Where fewer runs are known than a curve can be
trusted with, bounds are kept beside it that hold for every run that neither slows down by executors more nor speeds up
by more than their share: a cautious walk down from the most executors, one run at a time. What is said of a choice is
said by the curve wherever there is one, so that both tell the same.
"""

from collections.abc import Iterable, Sequence

from models.scaleout.decide.chance import chance, usable
from models.scaleout.decide.cost import Rules, cheapest, executor_minutes, safest
from models.scaleout.decide.plan import Choice, Plan, Remaining, bounds

Runs = Sequence[tuple[int, float]]

# So much more than the known run the next one may take, by the number of runs known: what is left for chance.
_MARGINS = (1.3, 1.2)
_FEWEST_RUNS, _FEWEST_SCALE_OUTS = 3, 2
# With so many in all, intervals tell how far other inputs and machines can be trusted.
_FEWEST_OTHERS = 8
# Beyond known scale-outs a first step is no longer than this ratio: memory runs out suddenly.
_STEP = 0.5


def initial(
    low: int,
    high: int,
    target_s: float | None,
    runs: Iterable[tuple[int, float]],
    remaining: Remaining | None,
    *,
    others: Iterable[float] = (),
    rules: Rules | None = None,
) -> Plan:
    """
    Parameters
    ----------
    low, high : the scale-outs allowed.
    target_s : None where any time will do; then the fewest executor-minutes win.
    runs : (scale-out, seconds) of finished runs of the same, that kept their scale-out.
    remaining : forecasts for the whole run; None where no model is there.
    others : scale-outs of the runs of other inputs or machines, or that were rescaled, that the forecasts rest on too.
    rules : what meeting the target is worth.

    Raises
    ------
    ValueError
        No scale-out is allowed.
    """
    allowed, rules = bounds(low, high), rules or Rules()
    known = [(scale_out, time_s) for scale_out, time_s in runs if scale_out >= 1 and time_s > 0]
    choices = _choices(allowed, target_s, remaining)
    if not choices:
        return _bounded(allowed, target_s, known)
    at, elsewhere = [float(scale_out) for scale_out, _ in known], list(others)
    trusted = _enough(at, _FEWEST_RUNS) or _enough([*at, *elsewhere], _FEWEST_OTHERS)
    name = choices[0].forecast.model
    if target_s is None:
        best, why = cheapest(choices), "there is no target: the fewest executor-minutes"
        if not trusted:
            why += f" by a curve that little is known for ({_counted(known, len(elsewhere))})"
        return Plan(best.scale_out, None, best.executor_minutes, why, name, choices=choices)
    if trusted:
        best, why = _pick(choices, target_s, rules)
    else:
        best, why = _careful(choices, target_s, known, rules)
        name, why = f"{_bounds_of(known)}, {name}", f"{_counted(known, len(elsewhere))}: {why}"
    return Plan(best.scale_out, best.probability, best.executor_minutes, why, name, choices=choices)


def _enough(scale_outs: Sequence[float], runs: int) -> bool:
    """Whether a curve of so many runs can be trusted."""
    return len(scale_outs) >= runs and len(set(scale_outs)) >= _FEWEST_SCALE_OUTS


def _choices(allowed: range, target_s: float | None, remaining: Remaining | None) -> tuple[Choice, ...]:
    """What the curve says of each; nothing where there is none that can be used."""
    forecasts = [] if remaining is None else list(remaining(allowed))
    if len(forecasts) != len(allowed) or not all(usable(forecast) for forecast in forecasts):
        return ()
    return tuple(
        Choice(
            scale_out,
            forecast,
            1.0 if target_s is None else chance(forecast, target_s),
            executor_minutes(scale_out, forecast.median_s),
        )
        for scale_out, forecast in zip(allowed, forecasts, strict=True)
    )


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


def _careful(choices: Sequence[Choice], target_s: float, known: Runs, rules: Rules) -> tuple[Choice, str]:
    """By the bounds, and no fewer than the curve asks for: it rests on so little that fewer are not trusted."""
    fewest, why = _bound(range(choices[0].scale_out, choices[-1].scale_out + 1), target_s, known)
    alone, _ = _pick(choices, target_s, rules)
    at_least = [choice for choice in choices if choice.scale_out >= fewest]
    # Of more executors than the bounds ask for, only as many as the curve gains by.
    wanted = min(rules.confidence, max(choice.probability for choice in at_least))
    best = next(choice for choice in at_least if choice.probability >= wanted)
    if best.scale_out > fewest:
        why = f"{fewest} are safe by what is known, and fewer than {best.scale_out} likely too slow by the curve"
    return best, why if best.scale_out == alone.scale_out else f"{why}; the curve alone would take {alone.scale_out}"


def _bounded(allowed: range, target_s: float | None, known: Runs) -> Plan:
    """For want of a curve."""
    if not known or target_s is None:
        why = f"{_counted(known)}: the most executors allowed"
        return Plan(allowed[-1], None, None, why, _bounds_of(known))
    scale_out, why = _bound(allowed, target_s, known)
    minutes = executor_minutes(scale_out, worst_s(scale_out, known))
    return Plan(scale_out, None, minutes, f"{_counted(known)}: {why}", _bounds_of(known))


def _bound(allowed: range, target_s: float, known: Runs) -> tuple[int, str]:
    """The fewest executors that are safe by what known runs took, and why."""
    if not known:
        return allowed[-1], "the most executors allowed"
    margin = _MARGINS[min(len(known), len(_MARGINS)) - 1]
    fewest = min(scale_out for scale_out, _ in known)
    for scale_out in allowed:
        if scale_out >= _STEP * fewest and margin * worst_s(scale_out, known) <= target_s:
            return scale_out, "the fewest executors that meet the target even if each one less costs its full share"
    return allowed[-1], "which does not show how to meet the target, so the most executors allowed"


def _counted(known: Runs, others: int = 0) -> str:
    """How few runs are known: the reason for caution."""
    if not known:
        if not others:
            return "nothing is known of such runs"
        return f"only {_runs(others)} of other inputs or machines {'is' if others == 1 else 'are'} known"
    at = sorted({scale_out for scale_out, _ in known})
    only = "only " if len(known) < _FEWEST_RUNS else ""
    where = f", at {at[0]} executor{'' if at[0] == 1 else 's'}" if len(at) == 1 else ""
    return f"{only}{_runs(len(known))} of the same {'is' if len(known) == 1 else 'are'} known{where}"


def _bounds_of(known: Runs) -> str:
    return f"bounds of {_runs(len(known))}"


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def worst_s(scale_out: int, known: Runs) -> float:
    """The longest that it takes as long as more executors do no harm, and fewer no more than their share."""
    return min(time_s * max(1.0, at / scale_out) for at, time_s in known)
