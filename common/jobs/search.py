"""A plugin's search: which values a trial tries, and the loop that runs trials until there are enough.

Each trial's sampler is seeded by its place in the search, not by how often the process began: a search that was
interrupted tries the same values as one that was not.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from common.clock import Clock
from common.errors import AtollError
from common.jobs.context import JobContext
from common.jobs.errors import Fenced, JobCancelled, JobRefused
from common.jobs.studies import Direction, abandon, is_abandoned
from common.telemetry.logs import get_logger

log = get_logger("atoll.jobs")

Params = dict[str, Any]
Suggest = Callable[[optuna.Trial], Params]
Objective = Callable[[Params, optuna.Trial], float]

# So many failures and no success: the objective is broken, and more trials would not help.
_HOPELESS = 10
_BEGAN = "began_at"
_WAIT_S = 0.2


@dataclass(frozen=True)
class Space:
    """A plugin's `space` module, with defaults for what it leaves out.

    Parameters
    ----------
    suggest : asks a trial for its values, and gives them as the objective wants them.
    sampler : makes the sampler of one trial from a seed; by default TPE.
    pruner : makes the pruner; by default successive halving.
    direction : `minimize` or `maximize`.
    """

    suggest: Suggest
    sampler: Callable[[int], BaseSampler]
    pruner: Callable[[], optuna.pruners.BasePruner]
    direction: Direction

    @classmethod
    def of(cls, module: ModuleType | None) -> "Space":
        return cls(
            suggest=getattr(module, "suggest", lambda trial: {}),
            sampler=getattr(module, "sampler", lambda seed: TPESampler(seed=seed)),
            pruner=getattr(module, "pruner", optuna.pruners.SuccessiveHalvingPruner),
            direction=getattr(module, "DIRECTION", "minimize"),
        )


class PlacedSampler(BaseSampler):
    """Gives each trial a sampler seeded by its place, and the first ones the values that they are told to try.

    Parameters
    ----------
    first : values of the first trials, by name; what is missing there, or not in the space, is sampled.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int, first: Sequence[Mapping[str, Any]]) -> None:
        self._make = make
        self._seed = seed
        self._first = first
        self._sampler = make(seed)
        self._fixed: Mapping[str, Any] = {}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        place = sum(not is_abandoned(other) for other in earlier)
        self._fixed = self._first[place] if place < len(self._first) else {}
        # Far apart, so that neighbouring seeds of two searches share no trials.
        self._sampler = self._make((self._seed * 1_000_003 + place) % 2**32)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {} if self._fixed else self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if param_name in self._fixed:
            value = self._fixed[param_name]
            try:
                if param_distribution._contains(param_distribution.to_internal_repr(value)):
                    return value
            except (TypeError, ValueError):
                pass
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self._sampler.after_trial(study, trial, state, values)


class Tally:
    """The trials of a study, counted."""

    def __init__(self, study: optuna.Study) -> None:
        trials = study.get_trials(deepcopy=False)
        states = [trial.state for trial in trials if not is_abandoned(trial)]
        self.complete = states.count(TrialState.COMPLETE)
        self.pruned = states.count(TrialState.PRUNED)
        self.failed = states.count(TrialState.FAIL)
        self.running = [trial for trial in trials if trial.state is TrialState.RUNNING]

    @property
    def done(self) -> int:
        return self.complete + self.pruned


class Search:
    """Runs trials of one study for one attempt.

    Parameters
    ----------
    is_orphan : whether the attempt that runs a trial is over.
    is_over : whether to stop although trials are missing; for helpers whose search has ended without them.
    """

    def __init__(
        self,
        study: optuna.Study,
        context: JobContext,
        clock: Clock,
        is_orphan: Callable[[FrozenTrial], bool],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._study = study
        self._context = context
        self._clock = clock
        self._is_orphan = is_orphan
        self._is_over = is_over

    def run(self, objective: Objective, suggest: Suggest, n_trials: int, timeout_s: float | None) -> None:
        """Return when `n_trials` are complete or pruned, or the time is over.

        Raises
        ------
        JobRefused
            The objective fails again and again, or nothing was tried in time.
        JobCancelled
        """
        deadline_s = self._clock.monotonic_s() + self._left_s(timeout_s)
        failed, last_error = 0, ""
        while True:
            self._context.check_cancelled()
            tally = self._tally()
            self._tell(tally, n_trials)
            if tally.done >= n_trials or self._is_over():
                return
            # Of this attempt only: when a person has the job retried, they expect the cause to be gone.
            if failed >= (max(n_trials, _HOPELESS) if tally.done else min(n_trials, _HOPELESS)):
                raise JobRefused(f"{failed} trials failed; the last one: {last_error}")
            if self._clock.monotonic_s() >= deadline_s:
                if tally.complete:
                    self._context.log(f"the time is over after {tally.done} of {n_trials} trials")
                    return
                if not tally.running:
                    raise JobRefused(f"no trial was complete within {timeout_s} s; give it more time")
            elif tally.done + len(tally.running) < n_trials:
                error = self._try_one(objective, suggest)
                if error is not None:
                    failed, last_error = failed + 1, error
                continue
            # Others run what is missing.
            self._context.wait_cancelled(_WAIT_S)

    def _try_one(self, objective: Objective, suggest: Suggest) -> str | None:
        """Run a trial; the text of its error if it failed."""
        trial = self._study.ask()
        try:
            value = float(objective(suggest(trial), trial))
            if not math.isfinite(value):
                raise ValueError(f"the objective gave {value}")
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        except JobCancelled:
            self._give_up(trial)
            raise
        except (Fenced, MemoryError):
            raise
        except AtollError as exc:
            if exc.status < 500:
                # Refused as asked: that holds for the whole search.
                self._give_up(trial)
                raise
            return self._failed(trial, exc)
        except Exception as exc:  # noqa: BLE001  # a model's code may raise anything
            return self._failed(trial, exc)
        else:
            self._study.tell(trial, value)
        return None

    def _failed(self, trial: optuna.Trial, exc: Exception) -> str:
        text = f"{type(exc).__name__}: {exc}"
        self._context.log(f"trial {trial.number} failed: {text}", "warning")
        log.warning("trial failed", trial=trial.number, exc_info=exc)
        self._study.tell(trial, state=TrialState.FAIL)
        return text

    def _give_up(self, trial: optuna.Trial) -> None:
        found = self._study.get_trials(deepcopy=False)[trial.number]
        abandon(self._study, found)

    def _tally(self) -> Tally:
        tally = Tally(self._study)
        orphans = [trial for trial in tally.running if self._is_orphan(trial)]
        for trial in orphans:
            abandon(self._study, trial)
        return Tally(self._study) if orphans else tally

    def _tell(self, tally: Tally, n_trials: int) -> None:
        metrics: dict[str, Any] = {"trials": tally.done}
        if tally.complete:
            metrics["best"] = self._study.best_value
        done = min(tally.done, n_trials)
        self._context.progress(done / n_trials, f"{done} of {n_trials} trials", **metrics)

    def _left_s(self, timeout_s: float | None) -> float:
        """Seconds of the time-out that earlier attempts have left."""
        if timeout_s is None:
            return math.inf
        now = self._clock.now()
        began = self._study.user_attrs.get(_BEGAN)
        if began is None:
            self._study.set_user_attr(_BEGAN, now.isoformat())
            return timeout_s
        return timeout_s - max(0.0, (now - datetime.fromisoformat(began)).total_seconds())
