"""What is asked about jobs: a pod for each or workers that stay, how many, how often to look, at what cost."""

from statistics import fmean

import numpy as np

from benchmarks.scaling.api_questions import POD_CORES
from benchmarks.scaling.jobs import Done, Scaler, simulate
from benchmarks.scaling.nodes import NodeSpec
from benchmarks.scaling.policy import Replicas
from benchmarks.scaling.prices import nodes_usd, shown
from benchmarks.scaling.requests import poisson
from benchmarks.scaling.service import SELECTION, SLOWER, TRAINING, Work
from benchmarks.scaling.table import Table

SEEDS = range(3)
DAY_S = 86_400.0
LEAST_JOBS = 200
# A job beside what it computes: its record, its messages, its process (docs/performance.md, PostgreSQL).
OVERHEAD_S = SLOWER * 0.0032
_POOL = NodeSpec(least=1, most=200)


def per_job(polling_s: float, target: int = 1, most: int = 400) -> Scaler:
    """A ScaledJob: `worker --once`."""
    return Scaler(False, Replicas(0, most, target), polling_s, cores=POD_CORES, nodes=_POOL)


def workers(least: int, target: int, most: int = 100, nodes: NodeSpec = _POOL) -> Scaler:
    """A ScaledObject: workers that stay, one job at once in each."""
    return Scaler(True, Replicas(least, most, target), cores=POD_CORES, nodes=nodes)


# What was adopted for short predictions.
ADOPTED = ("ScaledObject, from 1, 1 message a pod", workers(1, 1))
CANDIDATES = (
    ("ScaledJob, polling 30 s", per_job(30.0)),
    ("ScaledJob, polling 15 s", per_job(15.0)),
    ("ScaledJob, polling 5 s", per_job(5.0)),
    ("ScaledJob, polling 15 s, 5 messages a pod", per_job(15.0, target=5)),
    ADOPTED,
    ("ScaledObject, from 1, 2 messages a pod", workers(1, 2)),
    ("ScaledObject, from 1, 5 messages a pod", workers(1, 5)),
)
RATES = (100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0)


def scalers() -> Table:
    """Short predictions at different rates, each under each setting."""
    rows = [row(f"{rate:,.0f}", rate, *candidate) for rate in RATES for candidate in CANDIDATES]
    return Table("scalers", ("predictions a day", "setting", *_HEAD), rows)


FEW = (1_000.0, 3_000.0, 5_000.0, 10_000.0)


def few() -> Table:
    """From how many short predictions on a worker that stays costs less than a pod for each."""
    rows = []
    for rate in FEW:
        runs = [day(SELECTION, rate, per_job(15.0), seed) for seed in SEEDS]
        nodes = fmean(run.node_s / run.lasted_s for run in runs)
        beyond = shown(nodes_usd(DAY_S * (nodes - _POOL.least)))
        rows.append((f"{rate:,.0f}", f"{nodes:.2f}", beyond, shown(nodes_usd(DAY_S * POD_CORES / _POOL.cores))))
    head = ("few predictions a day", "nodes, a pod for each", "a day, beyond one node", "a worker that stays, a day")
    return Table("few", head, rows)


# Workers and nodes at most: what the manifests and Terraform have, and what it takes.
LIMITS = ((20, 5), (20, 10), (40, 20))
# Few systems are asked as much at night.
OFFICE_HOURS = 8.0


def million() -> Table:
    """A million short predictions a day, spread evenly or over the hours of an office, within limits."""
    rows = []
    for told, hours in (("24 hours", 24.0), (f"{OFFICE_HOURS:.0f} hours", OFFICE_HOURS)):
        for most, nodes in LIMITS:
            limits = f"1-{most} workers, 1-{nodes} nodes{' (as shipped)' if (most, nodes) == LIMITS[0] else ''}"
            rows.append(row(told, 1e6 * 24 / hours, limits, workers(1, 1, most, NodeSpec(least=1, most=nodes))))
    return Table("million", ("a million within", "limits", *_HEAD), rows)


def row(told: str, rate: float, name: str, scaler: Scaler) -> tuple[str, ...]:
    """Predictions at this rate a day under one setting."""
    return (told, name, *_figures([day(SELECTION, rate, scaler, seed) for seed in SEEDS]))


def trainings() -> Table:
    """Trainings of five minutes on average, 240 a day, under both."""
    rows = []
    for name, scaler in (
        ("ScaledJob, polling 30 s", per_job(30.0)),
        ("ScaledJob, polling 15 s", per_job(15.0)),
        ("ScaledJob, polling 5 s", per_job(5.0)),
        ("ScaledObject, from 0, 1 message a pod", workers(0, 1)),
    ):
        rows.append(("240", name, *_figures([day(TRAINING, 240.0, scaler, seed) for seed in SEEDS])))
    return Table("trainings", ("trainings a day", "setting", *_HEAD), rows)


def day(work: Work, rate_per_day: float, scaler: Scaler, seed: int) -> Done:
    """A morning: the rate grows for 20 minutes and stays for 40; for longer where `LEAST_JOBS` take longer."""
    generator = np.random.default_rng(seed)
    per_s = rate_per_day / DAY_S
    steps = [(120.0, per_s * step / 10) for step in range(1, 11)]
    arrivals = poisson(generator, [*steps, (max(2400.0, LEAST_JOBS / per_s), per_s)])
    return simulate(scaler, arrivals, work.draw(generator, len(arrivals)) + OVERHEAD_S, seed)


_HEAD = ("wait p50", "p99", "pods a job", "without a job", "given back", "pods at once", "nodes", "1,000 jobs")


def _figures(runs: list[Done]) -> tuple[str, ...]:
    return (
        f"{fmean(run.percentile_s(0.5) for run in runs):,.1f} s",
        f"{fmean(run.percentile_s(0.99) for run in runs):,.1f} s",
        f"{fmean(run.pods / run.done for run in runs):.2f}",
        f"{fmean(run.idle_pods for run in runs):,.0f}",
        f"{fmean(run.given_back for run in runs):,.0f}",
        f"{fmean(run.most_pods for run in runs):,.0f}",
        f"{fmean(run.most_nodes for run in runs):,.0f}",
        shown(fmean(1000 * nodes_usd(run.node_s) / run.done for run in runs)),
    )
