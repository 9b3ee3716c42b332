"""Plays runs with executors that join late and leave at once, in time and in executor-minutes."""

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.scaleout.truth import HIGH, LOW, SCALE_OUTS, Failure, Run, Setting, Truth
from models.scaleout.records import Application, Context, JobExecution

Floats = NDArray[np.float64]
Phase = Literal["normal", "failures"]

# As the real campaign went on after its ten profiling runs.
PHASES: tuple[Phase, ...] = (*("normal",) * 30, *("failures",) * 10, *("normal",) * 10, *("failures",) * 5)


@dataclass(frozen=True)
class Draw:
    """What chance decides of a run, whoever steers it.

    Parameters
    ----------
    times_s : (n_jobs, n_scale_outs) of each job if the scale-out stays, failures included.
    delay_s : until added executors are there.
    ramp : (seconds, executors) of a commercial autoscaler, for who follows it.
    """

    phase: Phase
    times_s: Floats
    delay_s: float
    ramp: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class Outcome:
    policy: str
    algorithm: str
    phase: Phase
    target_s: float
    seconds: float
    executor_minutes: float
    changes: int = 0

    @property
    def excess_minutes(self) -> float:
        return max(0.0, self.seconds - self.target_s) / 60.0


class Policy(Protocol):
    """Steers the runs of one algorithm one after the other, and may learn from each."""

    name: str

    def start(self, history: Sequence[Application], target_s: float, draw: Draw) -> int:
        """Executors to begin with."""

    def after(self, run: Application, scale_out: int) -> int:
        """Executors from now on, once a job of `run` has ended; `scale_out` are there or asked for."""


@dataclass(frozen=True)
class Traces:
    """What the commercial autoscaler did: seconds until the first executors, and its ramps from 2 to 32 of them."""

    delays_s: tuple[float, ...]
    ramps: tuple[tuple[tuple[float, int], ...], ...]

    @classmethod
    def read(cls, path: Path) -> "Traces":
        series: dict[tuple[str, str, str], list[tuple[float, int]]] = {}
        with gzip.open(path, "rt", newline="") as lines:
            for row in csv.DictReader(lines):
                key = (row["algorithm"], row["size"], row["config"])
                series.setdefault(key, []).append((float(row["timestamp"]) / 1000, int(row["executor_count"])))
        delays, ramps = [], []
        for key, points in sorted(series.items()):
            begun = points[0][0]
            first = next(time for time, count in points if count > 0)
            delays.append(first - begun)
            if key[2] == "2-32":
                # Time runs from the first executors, as in the other runs; giving back at the end is no matter here.
                most = max(count for _, count in points)
                top = next(at for at, (_, count) in enumerate(points) if count == most)
                ramps.append(tuple((time - first, count) for time, count in points[: top + 1] if count > 2))
        return cls(tuple(delays), tuple(ramps))


def draw(truth: Truth, phase: Phase, setting: Setting, traces: Traces, rng: np.random.Generator) -> Draw:
    """A run of the phase."""
    rows = truth.normal if phase == "normal" else truth.anomalous
    times = truth.base_s * np.exp(rows[rng.integers(len(rows))])[:, None]
    failures: tuple[Failure, ...] = ()
    if phase == "failures":
        failures = truth.failures[int(rng.integers(len(truth.failures)))]
    for failure in failures:
        if setting.failures == "factor":
            times[failure.job] *= failure.factor
        else:
            times[failure.job] += failure.seconds
    ramp = traces.ramps[int(rng.integers(len(traces.ramps)))]
    scaled = tuple((time, round(LOW + (count - 2) / 30 * (HIGH - LOW))) for time, count in ramp)
    return Draw(phase, times, setting.arrivals * float(rng.choice(traces.delays_s)), scaled)


def play(policy: Policy, truth: Truth, drawn: Draw, setting: Setting, history: list[Application]) -> Outcome:
    """One run; it is added to `history`."""
    present = wanted = _within(policy.start(history, truth.target_s, drawn))
    coming: list[tuple[float, int]] = list(drawn.ramp) if isinstance(policy, Ramped) else []
    clock, executor_s, changes, jobs = 0.0, 0.0, 0, list[JobExecution]()
    for job in range(len(drawn.times_s)):
        begun, left, first = clock, 1.0, present
        waited = 0.0
        while left > 1e-9:
            speed = 1.0 / drawn.times_s[job, present - LOW]
            ends = clock + left / speed
            if coming and coming[0][0] < ends:
                at, count = coming.pop(0)
                at = max(at, clock)
                # Those who join hold no cached data: what they fetch is time that the job does not advance.
                lost = setting.warm_s if not isinstance(policy, Ramped) else 0.0
                left -= (at - clock) * speed
                executor_s += (at - clock) * present + lost * count
                waited, clock, present = at - begun, at + lost, count
            else:
                executor_s += (ends - clock) * present
                clock, left = ends, 0.0
        share = waited / max(clock - begun, 1e-9) if present != first else 0.0
        jobs.append(JobExecution(job, begun, clock, first, present, None, share))
        if job + 1 < len(drawn.times_s) and not isinstance(policy, Ramped):
            asked = _within(policy.after(_run(truth, len(history), jobs, ended=False), wanted))
            changes += asked != wanted
            if asked <= present:
                coming, present = [], asked
            elif asked != wanted:
                coming = [(clock + drawn.delay_s, asked)]
            wanted = asked
    history.append(_run(truth, len(history), jobs, ended=True))
    return Outcome(policy.name, truth.algorithm, drawn.phase, truth.target_s, clock, executor_s / 60.0, changes)


class Ramped:
    """Dynamic allocation: begins with the fewest, and adds as the autoscaler did, whatever the target."""

    name = "dynamic allocation"

    def start(self, history: Sequence[Application], target_s: float, draw: Draw) -> int:
        return LOW

    def after(self, run: Application, scale_out: int) -> int:
        return scale_out


def recorded(truth: Truth) -> list[Application]:
    """The profiling runs as they were."""
    history: list[Application] = []
    for run in truth.profiling:
        history.append(_recorded(truth, run, len(history)))
    return history


def oracle(truth: Truth, drawn: Draw) -> Outcome:
    """The fewest executor-minutes that meet the target, all times known and every change for nothing.

    Of the plans that a price on time makes best, the cheapest that is in time: by duality no plan costs much less.
    Where none is in time, the soonest.
    """
    times, rows = drawn.times_s, np.arange(len(drawn.times_s))
    cost = times * SCALE_OUTS[None, :]

    def best(price: float) -> tuple[float, float]:
        chosen = np.argmin(cost + price * times, 1)
        return float(times[rows, chosen].sum()), float(cost[rows, chosen].sum()) / 60.0

    low, high = 0.0, 1e7
    seconds, minutes = best(low)
    if seconds > truth.target_s:
        seconds, minutes = best(high)
        for _ in range(60 if seconds <= truth.target_s else 0):
            middle = np.sqrt(max(low, 1e-3) * high)
            found = best(float(middle))
            if found[0] <= truth.target_s:
                high, (seconds, minutes) = float(middle), found
            else:
                low = float(middle)
    return Outcome("oracle", truth.algorithm, drawn.phase, truth.target_s, seconds, minutes)


def best_constant(truth: Truth, drawn: Draw) -> Outcome:
    """The cheapest scale-out for the whole run that meets the target, all times known; else the soonest."""
    seconds = drawn.times_s.sum(0)
    minutes = seconds * SCALE_OUTS / 60.0
    meets = seconds <= truth.target_s
    at = int(np.argmin(np.where(meets, minutes, np.inf))) if meets.any() else int(np.argmin(seconds))
    return Outcome(
        "best constant", truth.algorithm, drawn.phase, truth.target_s, float(seconds[at]), float(minutes[at])
    )


def campaign(truth: Truth, setting: Setting, traces: Traces, seed: int, make: Callable[[], Policy]) -> list[Outcome]:
    """All runs of an algorithm under one policy; the same seed gives every policy the same draws."""
    history, outcomes, policy = recorded(truth), list[Outcome](), make()
    for drawn in draws(truth, setting, traces, seed):
        outcomes.append(play(policy, truth, drawn, setting, history))
    return outcomes


def draws(truth: Truth, setting: Setting, traces: Traces, seed: int) -> list[Draw]:
    rng = np.random.default_rng([seed, *truth.algorithm.encode()])
    return [draw(truth, phase, setting, traces, rng) for phase in PHASES]


def _within(scale_out: int) -> int:
    return min(max(int(scale_out), LOW), HIGH)


def _context(truth: Truth) -> Context:
    return Context(system="spark", algorithm=truth.algorithm)


def _run(truth: Truth, position: int, jobs: Sequence[JobExecution], *, ended: bool) -> Application:
    end = jobs[-1].end_s if ended else None
    return Application(
        execution_id=f"run-{position}",
        context=_context(truth),
        signature=truth.algorithm,
        min_scale_out=LOW,
        max_scale_out=HIGH,
        target_s=truth.target_s,
        start_s=0.0,
        end_s=end,
        start_scale_out=jobs[0].start_scale_out,
        end_scale_out=jobs[-1].end_scale_out,
        jobs=tuple(jobs),
    )


def _recorded(truth: Truth, run: Run, position: int) -> Application:
    jobs, clock = [], 0.0
    for job, (seconds, scale_out) in enumerate(zip(run.seconds, run.scale_outs, strict=True)):
        jobs.append(JobExecution(job, clock, clock + float(seconds), int(scale_out), int(scale_out)))
        clock += float(seconds)
    return _run(truth, position, jobs, ended=True)
