"""From what is recorded to a plan: which runs count, which model can answer from so many, what it decides.

Functions block. What was read and fitted is kept (`past`, `kept`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from models.scaleout.definitions import Question, State, WhatIf
from models.scaleout.kept import Kept
from models.scaleout.left import Left
from models.scaleout.past import FORGOTTEN_S, History, Past, last_heard_s
from models.scaleout.records import Application, Context, Forecast
from models.scaleout.what_if import what_if
from models.scaleout.whole import Whole, whole

if TYPE_CHECKING:
    from common.clock import Clock
    from models.scaleout.decide import ByJob, Corrected, Plan, Progress, Remaining, Standing
    from models.scaleout.learning.ellis import Ellis
    from models.scaleout.store import RunStore

# Curves of jobs are small; a Gaussian process of 300 runs takes 2 MB.
_KEPT, _KEPT_WHOLES = 64, 16
# Executors that are not there after so long do not come: ten times what they take as a rule (`Rescaling`).
PATIENCE_S = 120.0


class Planner:
    """One an app; threads may share it."""

    def __init__(self, store: "RunStore", clock: "Clock | None" = None) -> None:
        self._store = store
        self.past = Past(store, clock)
        self.left = Left(store, clock)
        self._wholes: Kept[Whole] = Kept(_KEPT_WHOLES)
        self._curves: Kept[Corrected | None] = Kept(_KEPT)
        self._ellis_of: Kept[Ellis | str] = Kept(_KEPT)

    def history(self, context: Context, signature: str = "", *, without: str = "") -> History:
        """What is known of runs like this: of the algorithm or with the signature, whatever their deadline was."""
        return self.past.history(context, signature, without=without)

    def curves(self, history: History) -> "Corrected | None":
        """Curves of the jobs; None where no run tells of any."""

        def fit() -> "Corrected | None":
            from models.scaleout.decide import Corrected

            try:
                return Corrected.fit(history.runs) if history.runs else None
            except ValueError:
                return None

        return self._curves.get(history.key, fit)

    def look_up(self, history: History) -> None:
        """Have the graph model, if one serves, look up what these runs say of each stage: most of its first answer."""
        from models.scaleout.serving import forecasts

        if history.runs:
            begun = replace(history.runs[-1], end_s=None, jobs=())
            forecasts(history.runs, begun, (begun.start_scale_out or 1,), key=history.key)

    def whole(self, history: History, context: Context) -> Whole:
        """What answers for whole runs that are not begun."""
        return self._wholes.get((history.key, repr(context)), lambda: whole(history.runs, context))

    def states(self, changed: Mapping[str, datetime]) -> Mapping[str, State]:
        """Of several runs.

        Parameters
        ----------
        changed : when something of each was told last.
        """
        known: dict[tuple[str, ...], History] = {}

        def history(run: Application) -> History:
            kind = (run.context.system, run.context.algorithm, run.signature)
            if kind not in known:
                known[kind] = self.history(run.context, run.signature)
            return known[kind]

        return {
            one.execution_id: self.state(one, changed[one.execution_id], history) for one in self.past.load(changed)
        }

    def state(
        self, run: Application, changed_at: datetime, history: Callable[[Application], History] | None = None
    ) -> State:
        """How far a run has come, as far as was told.

        Parameters
        ----------
        changed_at : when something of it was told last.
        history : gives the runs like it, where they were read before.
        """
        if run.end_s is not None:
            return "ended"
        heard_s = last_heard_s(run)
        if self.past.now_s - (changed_at.timestamp() if heard_s is None else heard_s) > FORGOTTEN_S:
            return "silent"
        if heard_s is None:
            return "waiting"
        like = self.history(run.context, run.signature) if history is None else history(run)
        return "ended" if any(done.execution_id == run.execution_id for done in like.runs) else "running"

    def what_if(self, context: Context, question: Question) -> WhatIf:
        """Run times by scale-out, and with how many executors to run it."""
        history = self.history(context)
        return what_if(history, self.whole(history, context), question)

    def remaining(self, run: Application, last: Mapping[str, Any] | None = None) -> Forecast | None:
        """What is left of a run under way, from the end of the job that ended last; None where nothing can be said, or
        it is under way no more.

        Parameters
        ----------
        last : the plan that was made for it, as JSON.
        """
        if run.end_s is not None or (heard_s := last_heard_s(run)) is None or self.past.now_s - heard_s > FORGOTTEN_S:
            return None
        history = self.history(run.context, run.signature)
        if any(done.execution_id == run.execution_id for done in history.runs):
            return None
        self.left.begin()
        found = self.left.forecast(run)
        if found is not None or (curves := self.curves(history)) is None:
            return found
        (found,) = curves.remaining(_progress(run))([current_scale_out(run, last)])
        return found

    def plan(self, execution_id: str, last: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        """What to do from now on, as JSON; None where nothing can be said.

        Parameters
        ----------
        last : the plan before, as JSON.
        """
        from models.scaleout.decide import online

        run = self._store.find(execution_id)
        if run is None or run.max_scale_out < run.min_scale_out:
            return None
        history = self.history(run.context, run.signature, without=execution_id)
        standing = standing_of(run, last)
        before = None if last is None else plan_of(last)
        reasons: list[str] = []
        for name, make in (("graph", self._graph), ("ellis", self._ellis), ("curves", self._corrected)):
            if name in _MODELS[run.solution == "ellis"]:
                remaining, by_job, reason = make(history, run, standing)
                if remaining is not None:
                    made = online(standing, remaining, by_job=by_job, last=before)
                    break
                reasons.append(reason)
        else:
            made = online(standing, None, last=before)
        asked = {"asked_s": asked_s(run, made.scale_out, last), "after_job": standing.job_id}
        return plan_json(made, reasons) | asked

    def _graph(self, history: History, run: Application, standing: "Standing") -> "_Model":
        from models.scaleout.serving import forecasts

        candidates = tuple(range(standing.low, standing.high + 1))
        found, reason = forecasts(history.runs, run, candidates, current=standing.scale_out, key=history.key or None)
        return (None, None, reason) if found is None else (found.remaining, found.by_job, "")

    def _ellis(self, history: History, run: Application, standing: "Standing") -> "_Model":
        def fit() -> "Ellis | str":
            from models.scaleout.learning.ellis import Ellis

            try:
                return Ellis.fit(history.runs)
            except ValueError as exc:
                return f"ellis: {exc}"

        model = self._ellis_of.get(history.key, fit)
        if isinstance(model, str):
            return None, None, model
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


def standing_of(run: Application, last: Mapping[str, Any] | None) -> "Standing":
    """Where a run stands, as far as it was told. Pure."""
    from models.scaleout.decide import Progress, Standing

    progress = Progress.of(run)
    return Standing(
        job_id=-1 if progress is None else progress.job_id,
        scale_out=current_scale_out(run, last),
        elapsed_s=0.0 if progress is None else progress.elapsed_s,
        target_s=run.target_s,
        low=max(1, run.min_scale_out),
        high=run.max_scale_out,
        # Where no job tells its executors, what is there now is supposed to have been there all along.
        spent_minutes=progress.spent_minutes if progress is not None and progress.scale_outs else None,
    )


def current_scale_out(run: Application, last: Mapping[str, Any] | None) -> int:
    """How many executors a run has; or was told to have, as long as they may still be on their way. Pure.

    To go on waiting for what was asked for costs nothing more; to ask for anything else is a change. What has not come
    for long never will, and was not asked for where the listener says that it was told otherwise.
    """
    told = sorted((job for job in run.jobs if job.end_scale_out), key=lambda job: job.end_s or 0.0)
    asked = int((last or {}).get("scale_out") or 0)
    if not told:
        return asked or run.start_scale_out or run.min_scale_out
    newest = told[-1]
    present, now_s = newest.end_scale_out or 0, newest.end_s or 0.0
    since_s = (last or {}).get("asked_s")
    if newest.predicted_scale_out and asked not in (present, newest.predicted_scale_out):
        # The last plan came too late for the listener, which went by the one before.
        asked, since_s = newest.predicted_scale_out, newest.start_s
    if not asked or asked == present:
        return present
    # One that is lost is replaced, which takes as long.
    seen_s = [job.end_s for job in told if job.end_scale_out == asked and job.end_s is not None]
    begun_s = newest.start_s if since_s is None else float(since_s)
    waited_s = now_s - max([now_s if begun_s is None else begun_s, *seen_s])
    return asked if waited_s <= PATIENCE_S else present


def asked_s(run: Application, scale_out: int, last: Mapping[str, Any] | None) -> float | None:
    """When so many executors were asked for first, in seconds since 1970; None where no job tells the time. Pure."""
    if last is not None and last.get("scale_out") == scale_out and last.get("asked_s") is not None:
        return float(last["asked_s"])
    return max((job.end_s for job in run.jobs if job.end_s is not None), default=None)


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
