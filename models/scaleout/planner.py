"""From what is recorded to a plan: which runs count, which model can answer from so many, what it decides.

Functions block. What was read and fitted is kept; of the runs only those that have changed are read again.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from models.scaleout.definitions import Point, Question, Recommendation, WhatIf
from models.scaleout.records import Application, Context
from models.scaleout.whole import Whole, whole

if TYPE_CHECKING:
    from datetime import datetime

    from models.scaleout.decide import ByJob, Corrected, Plan, Progress, Remaining, Standing
    from models.scaleout.store import RunStore

_KEPT = 64
# A run without a word of its end counts as finished with so many of the jobs that others had.
_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class History:
    """Finished runs of the same, the oldest first.

    Parameters
    ----------
    key : changes whenever the runs do.
    """

    key: tuple[Any, ...]
    runs: tuple[Application, ...]


class Planner:
    """One an app; threads may share it."""

    def __init__(self, store: "RunStore") -> None:
        self._store = store
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, tuple[datetime, Application]] = OrderedDict()
        self._wholes: OrderedDict[tuple[Any, ...], Whole] = OrderedDict()
        self._fitted: OrderedDict[tuple[Any, ...], Corrected | None] = OrderedDict()

    def history(self, context: Context, signature: str = "", *, without: str = "") -> History:
        """What is known of runs like this: of the algorithm or with the signature, whatever their deadline was."""
        if not context.algorithm and not signature:
            return History((), ())
        # The system is told at submission only; a run that only a listener told of may be of any.
        wanted = [
            item
            for item in self._store.versions(
                algorithm=context.algorithm, system=context.system if context.algorithm else "", signature=signature
            )
            if item[0] != without
        ]
        with self._lock:
            stale = [one for one, changed in wanted if one not in self._runs or self._runs[one][0] != changed]
        changed = dict(wanted)
        loaded = {run.execution_id: run for run in self._store.load(stale)}
        with self._lock:
            for execution_id, run in loaded.items():
                self._runs[execution_id] = (changed[execution_id], run)
                self._runs.move_to_end(execution_id)
            runs = [self._runs[one][1] for one, _ in wanted if one in self._runs]
            while len(self._runs) > _KEPT * 200:
                self._runs.popitem(last=False)
        done = finished(runs)
        return History(tuple((run.execution_id, changed[run.execution_id]) for run in done), tuple(done))

    def curves(self, history: History) -> "Corrected | None":
        """Curves of the jobs; None where no run tells of any."""
        with self._lock:
            if history.key in self._fitted:
                self._fitted.move_to_end(history.key)
                return self._fitted[history.key]
        from models.scaleout.decide import Corrected

        try:
            found = Corrected.fit(history.runs) if history.runs else None
        except ValueError:
            found = None
        with self._lock:
            self._fitted[history.key] = found
            while len(self._fitted) > _KEPT:
                self._fitted.popitem(last=False)
        return found

    def whole(self, history: History, context: Context) -> Whole:
        """What answers for whole runs that are not begun."""
        key = (history.key, repr(context))
        with self._lock:
            found = self._wholes.get(key)
            if found is not None:
                self._wholes.move_to_end(key)
                return found
        found = whole(history.runs, context)
        with self._lock:
            self._wholes[key] = found
            while len(self._wholes) > _KEPT:
                self._wholes.popitem(last=False)
        return found

    def what_if(self, context: Context, question: Question) -> WhatIf:
        """Run times by scale-out, and with how many executors to run it."""
        history = self.history(context)
        return what_if(history, self.whole(history, context), question)

    def plan(self, execution_id: str, last: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        """What to do from now on, as JSON; None where nothing can be said.

        Parameters
        ----------
        last : the plan before, as JSON.
        """
        from models.scaleout.decide import Progress, Standing, online

        run = self._store.find(execution_id)
        if run is None or run.max_scale_out < run.min_scale_out:
            return None
        history = self.history(run.context, run.signature, without=execution_id)
        progress = Progress.of(run)
        standing = Standing(
            job_id=-1 if progress is None else progress.job_id,
            scale_out=current_scale_out(run, last),
            elapsed_s=0.0 if progress is None else progress.elapsed_s,
            target_s=run.target_s,
            low=max(1, run.min_scale_out),
            high=run.max_scale_out,
        )
        before = None if last is None else plan_of(last)
        reasons: list[str] = []
        for name, make in (("graph", self._graph), ("ellis", self._ellis), ("curves", self._corrected)):
            if name in _MODELS[run.solution == "ellis"]:
                remaining, by_job, reason = make(history, run, standing)
                if remaining is not None:
                    return plan_json(online(standing, remaining, by_job=by_job, last=before), reasons)
                reasons.append(reason)
        return plan_json(online(standing, None, last=before), reasons)

    def _graph(self, history: History, run: Application, standing: "Standing") -> "_Model":
        from models.scaleout.serving import forecasts

        candidates = tuple(range(standing.low, standing.high + 1))
        found, reason = forecasts(history.runs, run, candidates, current=standing.scale_out, key=history.key or None)
        return (None, None, reason) if found is None else (found.remaining, found.by_job, "")

    def _ellis(self, history: History, run: Application, standing: "Standing") -> "_Model":
        from models.scaleout.learning.ellis import Ellis

        try:
            model = Ellis.fit(history.runs)
        except ValueError as exc:
            return None, None, f"ellis: {exc}"
        curves = self.curves(history)
        by_job = None if curves is None else curves.by_job(_progress(run))
        return (lambda scale_outs: model.predict(run, scale_outs)), by_job, ""

    def _corrected(self, history: History, run: Application, standing: "Standing") -> "_Model":
        model = self.curves(history)
        if model is None:
            return None, None, "no finished run with times and scale-outs of its jobs is known"
        progress = _progress(run)
        return model.remaining(progress), model.by_job(progress), ""


# In their order, by whether the run asked for Ellis.
_MODELS = {False: ("graph", "curves"), True: ("ellis",)}
# What is left, the jobs to come, or why there is neither.
_Model = tuple["Remaining | None", "ByJob | None", str]


def _progress(run: Application) -> "Progress | None":
    from models.scaleout.decide import Progress

    return Progress.of(run)


def what_if(history: History, found: Whole, question: Question) -> WhatIf:
    """Run times by scale-out, and with how many executors to run it. Pure."""
    from models.scaleout.decide import Rules, chance, initial
    from models.scaleout.decide.cost import executor_minutes

    low, high, target_s = question.min_scale_out, question.max_scale_out, question.target_s
    rules = Rules(confidence=question.confidence)
    plan = initial(low, high, target_s, found.runs, found.remaining, rules=rules)
    asked = range(low, high + 1)
    forecasts = [] if found.remaining is None else found.remaining(asked)
    curve = [
        Point(
            scale_out=at,
            median_s=round(one.median_s, 3),
            low80_s=round(one.low80_s, 3),
            high80_s=round(one.high80_s, 3),
            low90_s=round(one.low90_s, 3),
            high90_s=round(one.high90_s, 3),
            probability=None if target_s is None else round(chance(one, target_s), 4),
            executor_minutes=round(executor_minutes(at, one.median_s), 3),
        )
        for at, one in zip(asked, forecasts, strict=False)
    ]
    recommended = Recommendation(
        scale_out=plan.scale_out,
        probability=_rounded(plan.probability, 4),
        executor_minutes=_rounded(plan.executor_minutes, 3),
        why=plan.why,
    )
    name = forecasts[0].model if forecasts else plan.model
    return WhatIf(curve=curve, recommendation=recommended, model=name, runs=len(history.runs))


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def finished(runs: Sequence[Application]) -> list[Application]:
    """Those that have come to their end, which old listeners do not tell: nearly all jobs that others had are known."""
    most = max((len(run.jobs) for run in runs), default=0)
    found = []
    for run in runs:
        ends = [job.end_s for job in run.jobs if job.end_s is not None]
        if run.end_s is not None:
            found.append(run)
        elif ends and len(ends) >= _NEARLY_ALL * most:
            starts = [job.start_s for job in run.jobs if job.start_s is not None]
            start_s = run.start_s if run.start_s is not None else min(starts, default=None)
            found.append(replace(run, start_s=start_s, end_s=max(ends)))
    return found


def current_scale_out(run: Application, last: Mapping[str, Any] | None) -> int:
    """How many executors a run has, or was last told to have."""
    told = [job.end_scale_out for job in sorted(run.jobs, key=lambda job: job.end_s or 0.0) if job.end_scale_out]
    if told:
        return told[-1]
    if last is not None and last.get("scale_out"):
        return int(last["scale_out"])
    return run.start_scale_out or run.min_scale_out


def plan_json(plan: "Plan", instead_of: Sequence[str] = ()) -> dict[str, Any]:
    """A plan as it is kept and told, without what it was chosen from.

    Parameters
    ----------
    instead_of : why better models could not answer.
    """
    return {
        "instead_of": list(instead_of),
        "scale_out": plan.scale_out,
        "probability": plan.probability,
        "executor_minutes": plan.executor_minutes,
        "why": plan.why,
        "model": plan.model,
        "scale_outs": [list(pair) for pair in plan.scale_outs],
        "runtimes_s": [[job_id, round(seconds, 3)] for job_id, seconds in plan.runtimes_s],
    }


def plan_of(told: Mapping[str, Any]) -> "Plan":
    from models.scaleout.decide import Plan

    return Plan(
        int(told["scale_out"]),
        told.get("probability"),
        told.get("executor_minutes"),
        str(told.get("why", "")),
        str(told.get("model", "")),
        tuple((int(job_id), int(count)) for job_id, count in told.get("scale_outs") or ()),
        tuple((int(job_id), float(seconds)) for job_id, seconds in told.get("runtimes_s") or ()),
    )
