"""Samples to learn from: each job of each run, asked for at some moment, with some of the other runs known.

What is known is varied: all other runs, only those of other inputs, or a few; and the run itself from its start or up
to some job. So the model learns to do with whatever there is.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scaleout.graph.dag import longest_path, scale_outs
from models.scaleout.graph.encodings import Coder
from models.scaleout.graph.history import History, Past
from models.scaleout.graph.nodes import Inputs, Nodes, nodes_of
from models.scaleout.graph.running import Trail
from models.scaleout.records import Application, Context

Floats = NDArray[np.float64]
_FEW = 3


@dataclass(frozen=True)
class Samples:
    """Questions and what came of them.

    Attributes
    ----------
    starts, ends : (n,) scale-outs of each stage.
    log_s, overhead : (n,); metrics : (n, 5), NaN where not told.
    job_s : (n_jobs,) of the longest path through each job's stages, as they were.
    """

    nodes: Nodes
    starts: Floats
    ends: Floats
    log_s: Floats
    metrics: Floats
    overhead: Floats
    job_s: Floats

    @property
    def inputs(self) -> Inputs:
        return self.nodes.at(self.starts[:, None], self.ends[:, None])

    def job_times(self, log_s: Floats) -> Floats:
        """(n_jobs, ...) seconds of the longest paths, of stages that take exp(`log_s`) (n, ...)."""
        times = np.exp(log_s)
        firsts = np.searchsorted(self.nodes.jobs, np.arange(len(self.job_s) + 1))
        found = []
        for first, last in itertools.pairwise(firsts):
            parents = [tuple(place - first for place in needed) for needed in self.nodes.parents[first:last]]
            found.append(longest_path(times[first:last], parents))
        return np.array(found)


def input_of(context: Context) -> tuple[object, ...]:
    """What makes two runs ones of the same input."""
    return (context.algorithm, context.data_size_mb, context.data_characteristics, context.arguments)


def asked(
    coder: Coder, past: Past, run: Application, number: int, source: History, finished: Sequence[int]
) -> list[Samples]:
    """Every job of run `number` of `source`, each when so many jobs of it have ended."""
    jobs = source.jobs[number]
    trail = Trail(past, run.context.algorithm, jobs)
    found = []
    for one, ended in zip(jobs, finished, strict=True):
        if not one.rows:
            continue
        nodes = nodes_of(coder, past, run.context, [(one.job.job_id, one.graph)], [trail.after(ended)])
        scale = np.array([scale_outs(run, one.job, stage) for stage in one.graph.stages], dtype=float)
        log_s = np.array([row.log_s for row in one.rows])
        found.append(
            Samples(
                nodes,
                scale[:, 0],
                scale[:, 1],
                log_s,
                np.array([row.metrics for row in one.rows]),
                np.clip([row.overhead for row in one.rows], 0, 1),
                np.array([one.path_s]),
            )
        )
    return found


def varied(coder: Coder, history: History, seed: int, rounds: int = 1) -> Samples:
    """Samples of all runs, each with others known, `rounds` times each kind of what is known."""
    rng = np.random.default_rng(seed)
    inputs = np.array([hash(input_of(run.context)) for run in history.runs])
    algorithms = np.array([run.context.algorithm for run in history.runs])
    everyone = np.arange(len(history.runs))
    found: list[Samples] = []
    for number, run in enumerate(history.runs):
        own = everyone == number
        for _ in range(rounds):
            few = np.zeros_like(own)
            candidates = everyone[~own & (algorithms == algorithms[number])]
            few[rng.permutation(candidates)[: int(rng.integers(1, _FEW + 1))]] = True
            for allowed in (~own, inputs != inputs[number], few):
                past = Past(history, allowed)
                if not allowed.any():
                    continue
                finished = [_moment(rng, position) for position in range(len(history.jobs[number]))]
                found += asked(coder, past, run, number, history, finished)
    return joined(found)


def held_out(coder: Coder, known: History, tests: History, *, next_only: bool) -> Samples:
    """Samples of runs that no model has seen, the others being known: at the start, or just before each job."""
    past = Past(known)
    found: list[Samples] = []
    for number, run in enumerate(tests.runs):
        count = len(tests.jobs[number])
        found += asked(coder, past, run, number, tests, range(count) if next_only else [0] * count)
    return joined(found)


def joined(parts: Sequence[Samples]) -> Samples:
    """All as one; the numbers of jobs go on."""
    offsets = np.cumsum([0, *(len(part.nodes) for part in parts)])
    parents: list[tuple[int, ...]] = []
    for part, offset in zip(parts, offsets, strict=False):
        parents += [tuple(int(offset) + place for place in needed) for needed in part.nodes.parents]

    counts = np.cumsum([0, *(len(part.job_s) for part in parts)])
    each = [part.nodes for part in parts]
    nodes = Nodes(
        np.concatenate([one.static for one in each]),
        np.concatenate([one.always for one in each]),
        np.concatenate([one.by_share for one in each]),
        np.concatenate([one.mean_x for one in each]),
        np.concatenate([one.tasks for one in each]),
        np.concatenate([one.cores for one in each]),
        np.concatenate([one.jobs + count for one, count in zip(each, counts, strict=False)]),
        tuple(parents),
        np.concatenate([one.levels for one in each]),
    )
    return Samples(
        nodes,
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.log_s for part in parts]),
        np.concatenate([part.metrics for part in parts]),
        np.concatenate([part.overhead for part in parts]),
        np.concatenate([part.job_s for part in parts]),
    )


def _moment(rng: np.random.Generator, position: int) -> int:
    """How many jobs have ended when the one at `position` is asked for."""
    kind = rng.random()
    if kind < 0.35:
        return 0
    return position if kind < 0.75 else int(rng.integers(0, position + 1))
