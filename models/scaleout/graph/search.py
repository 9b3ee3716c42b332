"""The fits of a search: runs of some inputs are kept apart, and a fit is judged by them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scaleout import space
from models.scaleout.graph.encodings import Coder, properties
from models.scaleout.graph.fitting import Fit, Plan, fit_coder
from models.scaleout.graph.history import History
from models.scaleout.graph.model import GraphModel, calibrated
from models.scaleout.graph.samples import Samples, held_out, input_of, varied
from models.scaleout.records import Application

_FOLDS = 2
_SHARE = 0.2
_UNMEASURED = {"80": 1.0, "90": 1.3}


@dataclass(frozen=True)
class _Fold:
    """Runs to fit to, and runs to judge by: each job before the run has begun, and each just before it begins."""

    known: History
    tests: list[Application]
    samples: Samples
    at_start: Samples
    before_each: Samples


class Trials:
    """All that the fits of one search share.

    Parameters
    ----------
    judged : the algorithm whose runs judge; all by default.
    folds : how often runs are kept apart; 0 for a single `fit`.
    check : is called again and again, and may raise to leave.

    Attributes
    ----------
    held : runs kept to judge by, of all folds; samples : stages that a fit learns from.
    """

    def __init__(
        self,
        runs: Sequence[Application],
        seed: int,
        judged: str | None = None,
        *,
        folds: int = _FOLDS,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        self._runs = list(runs)
        self._seed = seed
        found = {value for run in runs for value in properties(run.context, _stages(run))}
        self._coder = Coder(fit_coder(found, seed))
        self._folds = [self._fold(tests) for tests in kept_apart(runs, seed, judged)[:folds]]
        self.held = sum(len(fold.tests) for fold in self._folds)
        self.samples = sum(len(fold.samples.nodes) for fold in self._folds)

    def error(self, values: Mapping[str, Any], report: Callable[[float, int], None] = lambda *_: None) -> float:
        """Mean absolute error of ln(job time); `report` hears of it at each rung, and may raise."""
        plan = Plan.of(values, epochs=space.EPOCHS, members=space.MEMBERS, seed=self._seed)
        found = []
        first, *others = self._folds
        fit = Fit(first.samples, plan)
        for step, until in enumerate(range(space.RUNG, space.EPOCHS + 1, space.RUNG), start=1):
            fit.run(until, self._check)
            value = _mean(self._figures(fit, first))
            report(value, step)
        found.append(_mean(self._figures(fit, first)))
        for fold in others:
            fit = Fit(fold.samples, plan)
            fit.run(space.EPOCHS, self._check)
            found.append(_mean(self._figures(fit, fold)))
        return float(np.mean(found))

    def develop(self, values: Mapping[str, Any], about: Mapping[str, Any]) -> GraphModel:
        """Fit to all runs; intervals and figures are those of fits that had not seen the runs they are told of."""
        plan = Plan.of(values, epochs=space.EPOCHS, members=space.FINAL_MEMBERS, seed=self._seed)
        figures, margins = [], []
        for fold in self._folds:
            fit = Fit(fold.samples, plan)
            fit.run(space.EPOCHS, self._check)
            figures.append(self._figures(fit, fold))
            margins.append(calibrated(self._model(fit, {"margins": _UNMEASURED}), fold.known, fold.tests))
        card = {
            **about,
            "margins": {share: float(np.mean([one[share] for one in margins])) for share in _UNMEASURED},
            "figures": {name: float(np.mean([one[name] for one in figures])) for name in figures[0]},
            "algorithms": sorted({run.context.algorithm for run in self._runs}),
            "runs": len(self._runs),
        }
        return self.fit(values, card)

    def fit(self, values: Mapping[str, Any], card: Mapping[str, Any] | None = None) -> GraphModel:
        """Fit to all runs; without a `card` its intervals are guesses."""
        plan = Plan.of(values, epochs=space.EPOCHS, members=space.FINAL_MEMBERS, seed=self._seed)
        fit = Fit(varied(self._coder, History(self._runs), self._seed), plan)
        fit.run(space.EPOCHS, self._check)
        return self._model(fit, card or {"margins": _UNMEASURED})

    def _model(self, fit: Fit, card: Mapping[str, Any]) -> GraphModel:
        return GraphModel({**fit.arrays(), **self._coder.arrays}, card)

    def _fold(self, tests: NDArray[np.bool_]) -> _Fold:
        self._check()
        known = History([run for run, kept in zip(self._runs, tests, strict=True) if not kept])
        kept = [run for run, is_kept in zip(self._runs, tests, strict=True) if is_kept]
        apart = History(kept)
        return _Fold(
            known,
            kept,
            varied(self._coder, known, self._seed),
            held_out(self._coder, known, apart, next_only=False),
            held_out(self._coder, known, apart, next_only=True),
        )

    def _figures(self, fit: Fit, fold: _Fold) -> dict[str, float]:
        model = self._model(fit, {"margins": _UNMEASURED})
        return {
            f"job_error_{name}": job_error(model, samples)
            for name, samples in (("at_start", fold.at_start), ("before_each", fold.before_each))
        }


def job_error(model: GraphModel, samples: Samples) -> float:
    """Mean absolute error of the natural logarithm of jobs' longest paths."""
    found = samples.job_times(model.log_seconds(samples.inputs)[:, 0, 2])
    return float(np.abs(np.log(found / samples.job_s)).mean())


def kept_apart(runs: Sequence[Application], seed: int, judged: str | None = None) -> list[NDArray[np.bool_]]:
    """For each fold, (n_runs,) whether a run judges: one input of each algorithm that has several, else some runs."""
    rng = np.random.default_rng(seed)
    found = [np.zeros(len(runs), dtype=bool) for _ in range(_FOLDS)]
    for algorithm in sorted({run.context.algorithm for run in runs} if judged is None else {judged}):
        mine = [number for number, run in enumerate(runs) if run.context.algorithm == algorithm]
        inputs: dict[tuple[object, ...], list[int]] = {}
        for number in mine:
            inputs.setdefault(input_of(runs[number].context), []).append(number)
        groups = list(inputs.values())
        if len(groups) == 1:
            mixed = rng.permutation(groups[0])
            size = max(1, round(_SHARE * len(mixed)))
            groups = [mixed[first : first + size].tolist() for first in range(0, len(mixed), size)]
        if len(groups) == 1:
            # A single run: judging by it would leave nothing to know of its algorithm.
            continue
        order = rng.permutation(len(groups))
        for fold, tests in enumerate(found):
            tests[groups[order[fold % len(groups)]]] = True
    if not any(tests.any() for tests in found):
        found = [np.arange(len(runs)) == fold for fold in range(_FOLDS)]
    return [tests for tests in found if tests.any() and not tests.all()]


def data_hash(runs: Sequence[Application]) -> str:
    """SHA-256 of what was learned from, in hex."""
    digest = sha256()
    for run in sorted(runs, key=lambda run: run.execution_id):
        digest.update(repr(run).encode())
    return digest.hexdigest()


def _stages(run: Application) -> list[Any]:
    return [stage for job in run.jobs for stage in job.stages.values()]


def _mean(figures: Mapping[str, float]) -> float:
    return float(np.mean(list(figures.values())))
