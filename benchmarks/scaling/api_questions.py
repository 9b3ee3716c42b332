"""What is asked about requests: the two tests of 20 users, how many replicas, at what cost, under which settings."""

import math
from statistics import fmean

import numpy as np

from benchmarks.scaling.closed import Crowd, Host, Report, run
from benchmarks.scaling.nodes import NodeSpec
from benchmarks.scaling.policy import Replicas
from benchmarks.scaling.prices import FLEX_LEAST_S, flex_usd, nodes_usd, shown
from benchmarks.scaling.queueing import servers_for
from benchmarks.scaling.requests import Fleet, Served, poisson, simulate
from benchmarks.scaling.service import CACHED, IMPUTATION, SELECTION, SENTIMENT, SLOWER, Work
from benchmarks.scaling.table import Table

SEEDS = range(8)
# What the old host is assumed to be; the service time lies within the 1.4 to 3.8 s that it was measured with.
PROBED = Host(2.0, probe_s=30.0, probe_patience_s=30.0, probe_failures=3, restart_s=20.0)
PATIENT = Host(1.72, patience_s=36.0)
# Ours: two processes on two cores, 62.35 requests a second in all while both are busy.
OURS = Host(2 / 62.35, spread=IMPUTATION.spread, processes=2)
# A pod of 0.9 cores: two on a node, of whose two cores the system takes some.
POD_CORES, PODS_A_NODE = 0.9, 2
# Above it the wait grows faster than what is saved, and there is no room for a burst until more pods are there.
UTILISATION = 0.6
RATES = (1, 10, 100, 1000)


def tests() -> Table:
    """The test of 20 users, on the old host under two assumptions and on ours."""
    rows = []
    for name, host, crowd, measured in (
        ("old, restarted by its probe", PROBED, Crowd(), "34.6, 30 %"),
        ("old, callers give up", PATIENT, Crowd(), "34.6, 30 %"),
        ("Atoll, two processes", OURS, Crowd(ramp_s=0.0), "3,741, 0 %, p99 0.40 s"),
    ):
        reports = [run(host, crowd, seed) for seed in SEEDS]
        rows.append(
            (
                name,
                f"{_mean(reports, 'per_minute'):,.1f}",
                f"{100 * _mean(reports, 'errors'):.0f} %",
                f"{_mean(reports, 'mean_s'):.2f} s",
                f"{_mean(reports, 'p99_s'):.2f} s",
                f"{_mean(reports, 'restarts'):.1f}",
                measured,
            )
        )
    head = ("20 users", "a minute", "errors", "mean", "p99", "restarts", "measured")
    return Table("tests", head, rows)


def replicas() -> Table:
    """Pods for a rate, how they do, and what a thousand requests cost."""
    rows = []
    for work in (CACHED, SENTIMENT, IMPUTATION, SELECTION):
        for rate in RATES:
            pods = max(2, servers_for(rate, SLOWER * work.cpu_s, UTILISATION))
            served = steady(work, rate, pods)
            nodes = math.ceil(pods / PODS_A_NODE)
            per_thousand = 1000 / rate
            busy = min(1.0, rate * SLOWER * work.cpu_s / pods)
            rows.append(
                (
                    work.name,
                    f"{rate:,}",
                    f"{pods:,}",
                    f"{nodes:,}",
                    f"{100 * busy:.0f} %",
                    f"{served.percentile_ms(0.5):,.1f} ms",
                    f"{served.percentile_ms(0.99):,.1f} ms",
                    shown(nodes_usd(nodes * per_thousand)),
                    shown(flex_thousand(work, rate)),
                )
            )
    head = ("request", "a second", "pods", "nodes", "busy", "p50", "p99", "1,000 on AKS", "1,000 on Flex")
    return Table("replicas", head, rows)


def steady(work: Work, rate: float, pods: int, seed: int = 1) -> Served:
    """At least 5,000 requests at a constant rate to a constant number of pods."""
    generator = np.random.default_rng(seed)
    arrivals = poisson(generator, [(max(10.0, min(20_000, 5_000 * max(1, rate / 100)) / rate), rate)])
    nodes = NodeSpec(cores=1.8, least=1, most=10_000)
    fleet = Fleet(Replicas(pods, pods, UTILISATION), cores=POD_CORES, scales=False, nodes=nodes)
    return simulate(fleet, arrivals, work.draw(generator, len(arrivals)), seed)


def flex_thousand(work: Work, rate: float) -> float:
    """What a thousand requests cost on Flex Consumption.

    An instance is paid while it computes anything, for a second at least. With instances busy for `UTILISATION` of
    the time, requests that come less than a second after another keep it active; the rest is paid by the second.
    """
    service_s = SLOWER * work.cpu_s
    instances = servers_for(rate, service_s, UTILISATION)
    apart_s = instances / rate
    active_s = min(apart_s, FLEX_LEAST_S)
    return flex_usd(1000, 1000 * max(active_s, service_s))


# Quiet, then much more at once, then quiet again.
_QUIET_PER_S = 5.0
PEAKS_PER_S = (20.0, 60.0)
BEFORE = Fleet(Replicas(1, 5, 0.5), cores=0.5, nodes=NodeSpec(least=1, most=5))
AFTER = Fleet(Replicas(2, 10, UTILISATION), cores=POD_CORES, nodes=NodeSpec(least=1, most=5))
CANDIDATES = (
    ("as before: 1-5 pods of 0.5 CPU, HPA 50 %", BEFORE),
    ("1-10 pods of 0.9 CPU, HPA 60 %", Fleet(Replicas(1, 10, 0.6), cores=POD_CORES, nodes=NodeSpec(least=1, most=5))),
    ("2-10 pods of 0.9 CPU, HPA 60 % (adopted)", AFTER),
    ("2-10 pods of 0.9 CPU, HPA 80 %", Fleet(Replicas(2, 10, 0.8), cores=POD_CORES, nodes=NodeSpec(least=1, most=5))),
    (
        "4-10 pods of 0.9 CPU, HPA 60 %, from 2 nodes",
        Fleet(Replicas(4, 10, UTILISATION), cores=POD_CORES, nodes=NodeSpec(least=2, most=5)),
    ),
    ("4 pods of 0.9 CPU, fixed", Fleet(Replicas(4, 4, 0.6), cores=POD_CORES, scales=False, nodes=NodeSpec(least=2))),
)


def settings() -> Table:
    """The same bursts of imputations under different settings."""
    rows = []
    for peak in PEAKS_PER_S:
        for name, fleet in CANDIDATES:
            runs = [burst(fleet, peak, seed) for seed in SEEDS]
            rows.append(
                (
                    f"{peak:.0f}",
                    name,
                    f"{fmean(run.percentile_ms(0.5) for run in runs):,.0f} ms",
                    f"{fmean(run.percentile_ms(0.99) for run in runs):,.0f} ms",
                    f"{max(run.percentile_ms(0.99) for run in runs):,.0f} ms",
                    f"{100 * fmean(run.refused / run.arrived for run in runs):.1f} %",
                    f"{fmean(run.most_pods for run in runs):.1f}",
                    f"{fmean(run.most_nodes for run in runs):.1f}",
                    shown(fmean(1000 * nodes_usd(run.node_s) / run.arrived for run in runs)),
                )
            )
    head = ("peak, a second", "setting", "p50", "p99", "worst of 8", "refused", "pods", "nodes", "1,000 requests")
    return Table("settings", head, rows)


def burst(fleet: Fleet, peak_per_s: float, seed: int) -> Served:
    """Ten minutes of a peak between quiet times, drawn by the seed: the same for every fleet."""
    generator = np.random.default_rng(seed)
    arrivals = poisson(generator, [(300.0, _QUIET_PER_S), (600.0, peak_per_s), (600.0, _QUIET_PER_S)])
    return simulate(fleet, arrivals, IMPUTATION.draw(generator, len(arrivals)), seed)


def _mean(reports: list[Report], name: str) -> float:
    return fmean(getattr(report, name) for report in reports)
