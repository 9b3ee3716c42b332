"""A question about a run that might be made, answered: a curve, and what follows from it. Pure."""

from models.scaleout.definitions import Point, Question, Recommendation, WhatIf
from models.scaleout.past import History
from models.scaleout.whole import Whole


def what_if(history: History, found: Whole, question: Question) -> WhatIf:
    """Run times by scale-out, and with how many executors to run it."""
    from models.scaleout.decide import Rules, initial

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
    return WhatIf(curve=curve, recommendation=recommended, model=name, runs=len(history.runs))


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
