"""Stages as the nodes that the model takes: arrays, sorted by level, so that each level is computed at once."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.dag import Graph
from models.scaleout.graph.encodings import CODES, Coder
from models.scaleout.graph.history import FLOOR_S, SUMMARY, Past, log_size, shares
from models.scaleout.graph.running import RUNNING, Running
from models.scaleout.records import Context

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TASKS = 2
_SCALE = 7
STATIC = CODES + _TASKS + SUMMARY + RUNNING
FEATURES = STATIC + _SCALE
SUMMARY_AT = slice(CODES + _TASKS, CODES + _TASKS + SUMMARY)
RUNNING_AT = slice(CODES + _TASKS + SUMMARY, STATIC)


@dataclass(frozen=True)
class Nodes:
    """Stages of several jobs, each job's own ones after another, before a scale-out is chosen.

    Attributes
    ----------
    static : (n, STATIC).
    always, by_share : (n,) seconds of the anchor, see `Anchor.seconds`, as slow as the run has been.
    mean_x : (n,) mean ln scale-out of past runs.
    tasks : (n,) 0 where they were not told.
    jobs : (n,) number of the job that each belongs to.
    parents : places of what each needs, counted within the whole.
    levels : (n,)
    """

    static: Floats
    always: Floats
    by_share: Floats
    mean_x: Floats
    tasks: Floats
    cores: Floats
    jobs: Ints
    parents: tuple[tuple[int, ...], ...]
    levels: Ints

    def __len__(self) -> int:
        return len(self.always)

    def at(self, starts: Floats, ends: Floats) -> "Inputs":
        """Inputs for scale-outs at the start and the end of each stage, both (n, c)."""
        log_x = np.log(ends)
        change = log_x - np.log(starts)
        slots = ends * self.cores[:, None]
        waves = np.log1p(self.tasks[:, None] / slots)
        shared = self.by_share[:, None] * shares(self.tasks[:, None], slots)
        anchor = np.log(np.maximum(self.always[:, None] + shared, FLOOR_S))
        scale = [1 / ends, log_x, change, np.abs(change), (change != 0) * 1.0, waves, log_x - self.mean_x[:, None]]
        return Inputs.sorted(self.static[:, None], np.stack(scale, axis=-1), anchor, self.parents, self.levels)


@dataclass(frozen=True)
class Inputs:
    """What the model takes, for NumPy or PyTorch alike; nodes in the order of their levels.

    Attributes
    ----------
    order : (n,) the place that each node had before.
    static : (n, 1, STATIC), the same for all candidates; scale : (n, c, FEATURES - STATIC); anchor : (n, c).
    parents : (n, p) places, 0 where there is none; mask : (n, 2 + p) 1 for the two summaries and each parent.
    bounds : first and last place (excluded) of each level.
    """

    order: Any
    static: Any
    scale: Any
    anchor: Any
    parents: Any
    mask: Any
    bounds: tuple[tuple[int, int], ...]

    @classmethod
    def sorted(
        cls, static: Floats, scale: Floats, anchor: Floats, parents: Sequence[tuple[int, ...]], levels: Ints
    ) -> "Inputs":
        order = np.argsort(levels, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        most = max((len(needed) for needed in parents), default=0)
        padded = np.zeros((len(order), most), dtype=np.int64)
        mask = np.zeros((len(order), 2 + most), dtype=np.float32)
        mask[:, :2] = 1.0
        for now, before in enumerate(order):
            needed = parents[before]
            padded[now, : len(needed)] = place[list(needed)]
            mask[now, 2 : 2 + len(needed)] = 1.0
        starts = np.searchsorted(levels[order], np.arange(levels.max(initial=-1) + 2))
        bounds = tuple((int(a), int(b)) for a, b in itertools.pairwise(starts))
        in_order = [array[order].astype(np.float32) for array in (static, scale, anchor)]
        return cls(order, in_order[0], in_order[1], in_order[2], padded, mask, bounds)


def nodes_of(
    coder: Coder, past: Past, context: Context, jobs: Sequence[tuple[int, Graph]], running: Sequence[Running]
) -> Nodes:
    """
    Parameters
    ----------
    jobs : number in the run, and stages, of each.
    running : what is known of the run when each job is asked for.
    """
    static: list[Floats] = []
    anchors: list[tuple[float, ...]] = []
    numbers: list[int] = []
    parents: list[tuple[int, ...]] = []
    levels: list[int] = []
    of_context = coder.of_context(context)
    size = log_size(context)
    cores = float(max(context.cores or 1, 1))
    for number, ((job_id, graph), state) in enumerate(zip(jobs, running, strict=True)):
        offset = len(static)
        for at, stage in enumerate(graph.stages):
            anchor = past.anchor(context.algorithm, stage.name, at)
            if anchor is None:
                raise ValueError("no past run counts: there is nothing to compare with")
            place = (job_id, at)
            tasks = float(max(stage.num_tasks, 0))
            static.append(
                np.concatenate(
                    [
                        of_context,
                        coder.of_stage(stage),
                        [np.log1p(max(tasks, 1.0)), np.log1p(max(job_id, 0))],
                        anchor.summary(place),
                        state.summary((stage.name, at), job_id),
                    ]
                )
            )
            slower = float(np.exp(state.slower((stage.name, at))))
            always, by_share = anchor.seconds(size, place)
            anchors.append((slower * always, slower * by_share, anchor.mean_x, tasks, cores))
            numbers.append(number)
        parents += [tuple(offset + parent for parent in needed) for needed in graph.parents]
        levels += graph.levels
    always_s, by_share_s, mean_x, tasks_of, cores_of = np.array(anchors).reshape(-1, 5).T
    return Nodes(
        np.array(static).reshape(-1, STATIC),
        always_s,
        by_share_s,
        mean_x,
        tasks_of,
        cores_of,
        np.array(numbers, dtype=np.int64),
        tuple(parents),
        np.array(levels, dtype=np.int64),
    )
