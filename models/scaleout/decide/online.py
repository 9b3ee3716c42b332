"""Whether to change the number of executors once a job has ended.

Each scale-out is weighed by the executor-minutes that are left and the chance of missing the target, the time that the
change takes included (`Rescaling`); only what is better by enough than leaving things as they are is done (`Rules`). A
target that is lost is no reason to give up: each second that the run is late goes on counting, and no executors are
taken if that made it later.
"""

from dataclasses import dataclass, replace

from models.scaleout.decide.chance import chance, usable
from models.scaleout.decide.cost import Rescaling, Rules, executor_minutes, safest
from models.scaleout.decide.plan import ByJob, Choice, Plan, Remaining, bounds
from models.scaleout.records import Forecast

# A chance below this is none.
_LOST = 0.005


@dataclass(frozen=True)
class Standing:
    """Where a run stands.

    Parameters
    ----------
    job_id : of the job that has just ended.
    scale_out : executors now there or asked for.
    elapsed_s : since the run began.
    target_s : wanted for the whole run; None where any time will do.
    low, high : the scale-outs allowed.
    spent_minutes : executor-minutes so far; by default as if `scale_out` had been there all the time.
    """

    job_id: int
    scale_out: int
    elapsed_s: float
    target_s: float | None
    low: int
    high: int
    spent_minutes: float | None = None


def online(
    standing: Standing,
    remaining: Remaining | None,
    *,
    by_job: ByJob | None = None,
    last: Plan | None = None,
    rules: Rules | None = None,
    rescaling: Rescaling | None = None,
) -> Plan:
    """
    Parameters
    ----------
    remaining : what is left; None where no model is there.
    by_job : the jobs to come; without it the plan names none.
    last : what was decided before; it stands where there is no forecast.

    Raises
    ------
    ValueError
        No scale-out is allowed.
    """
    allowed = bounds(standing.low, standing.high)
    current = min(max(standing.scale_out, standing.low), standing.high)
    forecasts = [] if remaining is None else list(remaining(allowed))
    if len(forecasts) != len(allowed) or not all(usable(forecast) for forecast in forecasts):
        return _as_before(standing, current, last)
    if standing.target_s is None:
        kept, why = _choice(current, current, forecasts, allowed, None, Rescaling()), "there is no target to meet"
        return _plan(kept, (kept,), why, None, by_job)
    left_s = standing.target_s - standing.elapsed_s
    cost = rescaling or Rescaling()
    choices = tuple(_choice(at, current, forecasts, allowed, left_s, cost) for at in allowed)
    kept = choices[current - standing.low]
    best = _decide(choices, kept, standing, left_s, rules or Rules())
    return _plan(best, choices, _why(best, kept, left_s), best.probability, by_job)


def _decide(choices: tuple[Choice, ...], kept: Choice, standing: Standing, left_s: float, rules: Rules) -> Choice:
    target_s = standing.target_s or 0.0
    spent = standing.spent_minutes
    if spent is None:
        spent = executor_minutes(kept.scale_out, standing.elapsed_s)
    # By what a likely success costs, and not by what is there: else the worth of a miss would change with the decision.
    run_minutes = spent + safest(choices, rules.confidence).executor_minutes
    losses = {choice.scale_out: rules.loss(choice, left_s, target_s, run_minutes) for choice in choices}
    possible = choices
    if kept.probability < rules.lost:
        possible = tuple(
            choice
            for choice in choices
            if choice.scale_out >= kept.scale_out or choice.forecast.median_s <= max(left_s, kept.forecast.median_s)
        )
    best = min(possible, key=lambda choice: (losses[choice.scale_out], choice.scale_out))
    gained = losses[kept.scale_out] - losses[best.scale_out]
    return best if gained > rules.change * run_minutes else kept


def _why(best: Choice, kept: Choice, left_s: float) -> str:
    if best.scale_out == kept.scale_out:
        if kept.probability < _LOST:
            return "the target cannot be met any more, and no change is worth what it costs"
        return f"the target is met with a chance of {kept.probability:.0%}, and no change is worth what it costs"
    if best.scale_out > kept.scale_out:
        if best.probability < _LOST:
            late = f"{_late(best, left_s)} s late instead of {_late(kept, left_s)} s"
            return f"the target cannot be met any more; so the run is about {late}"
        return f"raises the chance of meeting the target from {kept.probability:.0%} to {best.probability:.0%}"
    saved = 1 - best.executor_minutes / kept.executor_minutes if kept.executor_minutes > 0 else 0.0
    return f"saves {saved:.0%} of the executor-minutes left; the target is met with a chance of {best.probability:.0%}"


def _late(choice: Choice, left_s: float) -> int:
    return round(max(0.0, choice.forecast.median_s - left_s))


def _choice(
    scale_out: int,
    current: int,
    forecasts: list[Forecast],
    allowed: range,
    left_s: float | None,
    cost: Rescaling,
) -> Choice:
    forecast, now = forecasts[allowed.index(scale_out)], forecasts[allowed.index(current)]
    later = _later(forecast, cost.lost_s(current, scale_out, now.median_s, forecast.median_s))
    probability = 1.0 if left_s is None else chance(later, left_s)
    return Choice(scale_out, later, probability, executor_minutes(scale_out, later.median_s))


def _later(forecast: Forecast, lost_s: float) -> Forecast:
    if not lost_s:
        return forecast
    return replace(
        forecast,
        median_s=forecast.median_s + lost_s,
        low80_s=forecast.low80_s + lost_s,
        high80_s=forecast.high80_s + lost_s,
        low90_s=forecast.low90_s + lost_s,
        high90_s=forecast.high90_s + lost_s,
    )


def _plan(best: Choice, choices: tuple[Choice, ...], why: str, probability: float | None, by_job: ByJob | None) -> Plan:
    made = Plan(best.scale_out, probability, best.executor_minutes, why, best.forecast.model, choices=choices)
    return made if by_job is None else made.with_jobs(by_job(best.scale_out))


def _as_before(standing: Standing, current: int, last: Plan | None) -> Plan:
    if last is None:
        return Plan(current, None, None, "there is no forecast: nothing is changed", "none")
    stands = last.after(standing.job_id, "there is no forecast: the last plan stands")
    return stands.within(standing.low, standing.high)
