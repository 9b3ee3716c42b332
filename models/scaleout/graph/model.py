"""The graph model as it answers: arrays of a version; a forecast for each number of executors to choose from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.coming import TooLittleHistory, ahead, ended
from models.scaleout.graph.dag import longest_path
from models.scaleout.graph.encodings import Coder
from models.scaleout.graph.history import History, seen
from models.scaleout.graph.nodes import Inputs, nodes_of
from models.scaleout.graph.propagate import propagate, shapes
from models.scaleout.graph.running import Trail
from models.scaleout.records import Application, Forecast

Floats = NDArray[np.float64]

NAME, CORRECTED = "graph", "graph, corrected on this run"
_MEDIAN, _HIGH = 2, 3
# Of each run so many moments are asked for to calibrate: neighbouring ones tell the same.
_MOMENTS = 6


@dataclass(frozen=True)
class Coming:
    """What is to come, for each candidate.

    Attributes
    ----------
    job_ids : (n_jobs,) of the coming jobs.
    job_s : (n_jobs, n_candidates) seconds that each takes by its median, with the time before it.
    remaining : of all of them together, a forecast for each candidate.
    """

    job_ids: tuple[int, ...]
    job_s: Floats
    remaining: list[Forecast]


class GraphModel:
    """
    Parameters
    ----------
    arrays : weights (see `propagate`) and those of the encoder (see `Coder`).
    card : what was trained and measured; `margins` has what intervals are multiplied by, see `calibrated`.

    Raises
    ------
    ValueError
        An array is missing or has another shape than the others ask for.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]], card: Mapping[str, Any]) -> None:
        check_arrays(arrays)
        self.arrays = dict(arrays)
        self.card = card
        self.coder = Coder(arrays)
        self._weights = {name: np.asarray(array, np.float32) for name, array in arrays.items() if "coder" not in name}
        self._margins = {share: float(card["margins"][share]) for share in ("80", "90")}

    def log_seconds(self, inputs: Inputs) -> Floats:
        """(n, c, 5) natural logarithms of stages' seconds at `QUANTILES`, in the order that the nodes were given in."""
        found = propagate(self._weights, inputs).log_s.mean(axis=0)
        back = np.empty(found.shape)
        back[inputs.order] = found
        return back

    def coming(
        self, history: History, run: Application, candidates: Sequence[int], current: int | None = None
    ) -> Coming:
        """
        Parameters
        ----------
        history : finished runs; those of this algorithm tell most. A run never counts for itself.
        run : of its jobs, those that have ended count.
        candidates : numbers of executors that the coming jobs may have.
        current : executors now; by default those at the end of the last job.

        Raises
        ------
        TooLittleHistory
        ValueError
            There is no candidate, or one is below 1.
        """
        chosen = np.array(candidates, dtype=float)
        if not chosen.size or chosen.min() < 1:
            raise ValueError("give candidates of at least 1 executor")
        run = ended(run)
        to_come = ahead(history, run)
        past = history.past(run.execution_id)
        running = Trail(past, run.context.algorithm, seen(run)).after(len(run.jobs))
        if past.anchor(run.context.algorithm, "", -1) is None:
            raise TooLittleHistory("no other run is known")
        jobs = [(job_id, graph) for job_id, graph in to_come.jobs if len(graph)]
        if not jobs:
            raise TooLittleHistory("the past runs have no stages")
        nodes = nodes_of(self.coder, past, run.context, jobs, [running] * len(jobs))
        ends = np.broadcast_to(chosen, (len(nodes), len(chosen)))
        starts = ends.copy()
        now = current or _current(run)
        if now:
            first = nodes.jobs == 0
            starts[first] = now
        times = np.exp(self.log_seconds(nodes.at(starts, ends)))
        paths = np.zeros((len(to_come.jobs), len(chosen), times.shape[-1]))
        offset = 0
        for place, (_, graph) in enumerate(to_come.jobs):
            if len(graph):
                paths[place] = longest_path(times[offset : offset + len(graph)], graph.parents)
                offset += len(graph)
        job_s = np.maximum(paths[..., _MEDIAN] + to_come.idle_s[:, None], 0.0)
        spread = np.log(paths[..., _HIGH].sum(axis=0) / paths[..., _MEDIAN].sum(axis=0))
        name = CORRECTED if run.jobs else NAME
        remaining = [
            self._forecast(float(total), float(wide), name) for total, wide in zip(job_s.sum(0), spread, strict=True)
        ]
        return Coming(tuple(job_id for job_id, _ in to_come.jobs), job_s, remaining)

    def _forecast(self, median_s: float, spread: float, name: str) -> Forecast:
        by_80, by_90 = (float(np.exp(self._margins[share] * spread)) for share in ("80", "90"))
        return Forecast(median_s, median_s / by_80, median_s * by_80, median_s / by_90, median_s * by_90, name)


def calibrated(model: GraphModel, history: History, tests: Sequence[Application]) -> dict[str, float]:
    """Margins by which the intervals of remaining times hold 80 and 90 % of `tests`, runs that it has not seen.

    Conformal: the quantile of how many spreads the true time lies away from the median, at the start and after some
    of the jobs. Where nothing can be measured, the spread itself is taken.
    """
    away: list[float] = []
    for run in tests:
        if run.end_s is None:
            continue
        jobs = sorted(run.jobs, key=lambda job: job.job_id)
        for finished in np.unique(np.linspace(0, len(jobs) - 1, _MOMENTS, dtype=int)).tolist() if jobs else ():
            begin_s = jobs[finished - 1].end_s if finished else run.start_s
            last_s = jobs[-1].end_s
            if begin_s is None or last_s is None or last_s <= begin_s:
                continue
            found = _away(model, history, run, finished, last_s - begin_s)
            if found is not None:
                away.append(found)
    if not away:
        return {"80": 1.0, "90": 1.3}
    # As the finite sample asks: with few, the largest.
    return {
        name: float(np.quantile(away, min(1.0, share * (1 + 1 / len(away))), method="higher"))
        for name, share in (("80", 0.8), ("90", 0.9))
    }


def _away(model: GraphModel, history: History, run: Application, finished: int, actual_s: float) -> float | None:
    jobs = sorted(run.jobs, key=lambda job: job.job_id)
    scale_out = jobs[finished].end_scale_out or jobs[finished].start_scale_out or run.start_scale_out or 1
    begun = replace(run, jobs=jobs[:finished], end_s=None)
    try:
        found = model.coming(history, begun, [scale_out]).remaining[0]
    except TooLittleHistory:
        return None
    margin = model.card["margins"]["80"]
    spread = np.log(found.high80_s / found.median_s) / margin
    return float(abs(np.log(actual_s / found.median_s)) / max(spread, 1e-6)) if found.median_s > 0 else None


def check_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Raises ValueError where an array is missing, has no finite numbers, or fits not to the others."""
    if "nodes" not in arrays or arrays["nodes"].ndim != 3:
        raise ValueError("nodes is missing")
    members, _, hidden = arrays["nodes"].shape
    for name, shape in shapes(hidden).items():
        if name not in arrays or arrays[name].shape != (members, *shape):
            raise ValueError(f"{name} is not of shape {(members, *shape)}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has numbers that are not finite")


def _current(run: Application) -> int | None:
    last = max(run.jobs, key=lambda job: job.job_id, default=None)
    return (last.end_scale_out if last else None) or (run.start_scale_out if last else None)
