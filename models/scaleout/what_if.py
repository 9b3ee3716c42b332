"""A question about a run that might be made, answered: a curve, and what follows from it. Pure."""

from models.scaleout.definitions import Point, Question, Recommendation, Recorded, WhatIf
from models.scaleout.past import History
from models.scaleout.whole import Whole


def what_if(history: History, found: Whole, question: Question) -> WhatIf:
    """Run times by scale-out, and with how many executors to run it."""
    from models.scaleout.decide import Rules, initial
    from models.scaleout.learning.features import scale_out_of

    low, high, target_s = question.min_scale_out, question.max_scale_out, question.target_s
    rules = Rules(confidence=question.confidence)
    plan = initial(low, high, target_s, found.runs, found.remaining, others=found.others, rules=rules)
    curve = [
        Point(
            scale_out=choice.scale_out,
            median_s=round(choice.forecast.median_s, 3),
            low80_s=round(choice.forecast.low80_s, 3),
            high80_s=round(choice.forecast.high80_s, 3),
            low90_s=round(choice.forecast.low90_s, 3),
            high90_s=round(choice.forecast.high90_s, 3),
            probability=None if target_s is None else round(choice.probability, 4),
            executor_minutes=round(choice.executor_minutes, 3),
        )
        for choice in plan.choices
    ]
    recommended = Recommendation(
        scale_out=plan.scale_out,
        probability=_rounded(plan.probability, 4),
        executor_minutes=_rounded(plan.executor_minutes, 3),
        why=plan.why,
    )
    name = plan.choices[0].forecast.model if plan.choices else plan.model
    recorded = [
        Recorded(execution_id=run.execution_id, scale_out=round(scale_out, 2), runtime_s=round(run.runtime_s, 3))
        for run in found.same
        if (scale_out := scale_out_of(run)) and run.runtime_s
    ]
    return WhatIf(
        curve=curve,
        recommendation=recommended,
        model=name,
        runs=len(history.runs),
        error=_rounded(found.error, 4),
        recorded=recorded,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
