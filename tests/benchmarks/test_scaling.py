"""The simulation of scaling against what is known by formula, and what must hold whatever is drawn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scaling import jobs
from benchmarks.scaling.api_questions import AFTER, BEFORE, OURS, PATIENT, PROBED, burst
from benchmarks.scaling.closed import Crowd, Host, run
from benchmarks.scaling.job_questions import day, per_job, workers
from benchmarks.scaling.nodes import NodePool, NodeSpec
from benchmarks.scaling.policy import Hpa, Replicas, accurate
from benchmarks.scaling.queueing import erlang_c, mean_wait_s, servers_for
from benchmarks.scaling.requests import Fleet, Served, poisson, simulate
from benchmarks.scaling.service import SELECTION, TRAINING, lognormal, spread_of


def mmc(servers: int, rate: float, service_s: float, seed: int) -> tuple[Served, float]:
    """M/M/c as one pod with c slots, and the mean of the service times that were drawn."""
    generator = np.random.default_rng(seed)
    arrivals = poisson(generator, [(20_000 / rate, rate)])
    services = generator.exponential(service_s, len(arrivals))
    nodes = NodeSpec(cores=float(servers))
    fleet = Fleet(Replicas(1, 1, 0.5), cores=1.0, slots=servers, line=10**9, scales=False, nodes=nodes)
    return simulate(fleet, arrivals, services, seed), float(services.mean())


@pytest.mark.parametrize(("servers", "rate"), [(1, 1.2), (2, 3.0), (6, 8.0), (20, 30.0)])
def test_waits_of_mmc_are_those_of_the_formula(servers: int, rate: float) -> None:
    waits = []
    for seed in range(5):
        served, service_s = mmc(servers, rate, 0.5, seed)
        waits.append(float(served.taken_s.mean()) - service_s)
    expected_s = mean_wait_s(servers, rate, 0.5)
    # The mean of five runs of 20,000 requests, which depend on each other as waits do.
    assert np.mean(waits) == pytest.approx(expected_s, rel=0.15, abs=0.002)


@pytest.mark.parametrize("seed", [0, 1])
def test_little_s_law_holds(seed: int) -> None:
    served, _ = mmc(4, 6.0, 0.5, seed)
    throughput = served.answered / served.lasted_s
    assert served.mean_in_system == pytest.approx(throughput * served.taken_s.mean(), rel=1e-9)


def test_erlang_c_has_the_values_of_the_tables() -> None:
    assert erlang_c(1, 0.8) == pytest.approx(0.8)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(10, 0.0) == 0.0
    # No factorial overflows.
    assert 0 < erlang_c(2000, 1990.0) < 1


@pytest.mark.parametrize("load", [-0.1, 2.0, 5.0])
def test_a_load_that_cannot_be_served_is_refused(load: float) -> None:
    with pytest.raises(ValueError, match="cannot be served"):
        erlang_c(2, load)


def test_servers_are_enough_and_not_one_too_many() -> None:
    assert servers_for(100.0, 0.06, 0.6) == 10
    assert servers_for(0.0, 1.0, 0.6) == 1


@settings(max_examples=25, deadline=None)
@given(
    rate=st.floats(0.5, 60.0),
    service_s=st.floats(0.01, 0.5),
    least=st.integers(1, 3),
    line=st.integers(0, 20),
    scales=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_request_is_answered_or_refused(
    rate: float, service_s: float, least: int, line: int, scales: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    arrivals = poisson(generator, [(30.0, rate), (30.0, 3 * rate), (60.0, rate / 4)])
    services = lognormal(generator, len(arrivals), service_s, 0.5)
    fleet = Fleet(Replicas(least, 6, 0.6), cores=0.9, line=line, scales=scales, nodes=NodeSpec(start_s=(5.0, 20.0)))
    served = simulate(fleet, arrivals, services, seed)
    assert served.arrived == len(arrivals) == served.answered + served.refused
    if served.answered:
        # Never quicker than the work itself.
        assert served.taken_s.min() >= services.min() - 1e-9
    assert served.most_pods <= 6
    assert served.most_nodes <= 5
    assert served.node_s >= served.lasted_s - 1e-6


@settings(max_examples=25, deadline=None)
@given(
    stays=st.booleans(),
    per_s=st.floats(0.02, 4.0),
    service_s=st.floats(0.1, 60.0),
    target=st.integers(1, 5),
    polling_s=st.sampled_from([1.0, 5.0, 30.0]),
    seed=st.integers(0, 1000),
)
def test_every_job_is_done_whatever_is_scaled_away(
    stays: bool, per_s: float, service_s: float, target: int, polling_s: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    arrivals = poisson(generator, [(120.0, per_s), (400.0, per_s / 10)])
    services = lognormal(generator, len(arrivals), service_s, 0.8)
    scaler = jobs.Scaler(stays, Replicas(0, 20, target, 60.0), polling_s, cores=0.9, nodes=NodeSpec(most=8))
    done = jobs.simulate(scaler, arrivals, services, seed)
    assert done.arrived == done.done == len(arrivals)
    assert done.done == 0 or done.waited_s.min() >= 0
    assert done.most_pods <= 20
    if not stays:
        # A pod for each job, and those that came too late for one.
        assert done.given_back == 0
        assert done.pods >= done.done + done.idle_pods


def test_the_same_seed_gives_the_same_figures() -> None:
    first, again = (day(SELECTION, 10_000.0, per_job(15.0), 7) for _ in range(2))
    assert np.array_equal(first.waited_s, again.waited_s)
    assert first.node_s == again.node_s


def test_a_crowd_asks_all_its_requests_and_each_ends_once() -> None:
    for host in (PROBED, PATIENT, OURS, Host(0.5, processes=3)):
        report = run(host, Crowd(), 3)
        assert report.answered + report.failed == 400


def test_a_crowd_on_one_server_is_served_as_fast_as_it_can() -> None:
    """With more users than a server can serve at once, throughput is one by the service time."""
    report = run(Host(0.5, spread=0.0), Crowd(ramp_s=0.0), 1)
    assert report.per_minute == pytest.approx(120)
    assert report.failed == 0


@pytest.mark.parametrize("host", [PROBED, PATIENT], ids=["probed", "patient"])
def test_the_old_test_is_reproduced_within_its_figures(host: Host) -> None:
    reports = [run(host, Crowd(), seed) for seed in range(8)]
    assert np.mean([report.per_minute for report in reports]) == pytest.approx(34.6, rel=0.03)
    assert np.mean([report.errors for report in reports]) == pytest.approx(0.30, abs=0.04)
    # As was measured of one request.
    assert 1.4 <= host.service_s <= 3.8


def test_our_own_test_is_reproduced_without_errors() -> None:
    reports = [run(OURS, Crowd(ramp_s=0.0), seed) for seed in range(8)]
    assert np.mean([report.per_minute for report in reports]) == pytest.approx(3741, rel=0.1)
    assert sum(report.failed for report in reports) == 0
    assert np.mean([report.p99_s for report in reports]) == pytest.approx(0.404, rel=0.3)


def test_what_was_adopted_is_better_at_a_high_peak() -> None:
    before, after = (burst(fleet, 60.0, 1) for fleet in (BEFORE, AFTER))
    assert after.refused <= before.refused
    assert after.percentile_ms(0.99) < before.percentile_ms(0.99)


def test_workers_that_stay_cost_less_for_many_short_jobs_and_lose_long_ones() -> None:
    each, staying = (day(SELECTION, 100_000.0, scaler, 1) for scaler in (per_job(15.0), workers(1, 1)))
    assert staying.node_s < each.node_s / 2
    assert staying.percentile_s(0.99) < each.percentile_s(0.5)
    assert day(TRAINING, 240.0, per_job(15.0), 1).given_back == 0
    assert day(TRAINING, 240.0, workers(0, 1), 1).given_back > 0


@given(
    waiting=st.integers(0, 500),
    pending=st.integers(0, 50),
    taken=st.integers(0, 50),
    target=st.integers(1, 10),
    most=st.integers(1, 100),
)
def test_a_scaled_job_never_makes_more_than_it_may(
    waiting: int, pending: int, taken: int, target: int, most: int
) -> None:
    running = pending + taken
    made = accurate(waiting, running, pending, target, most)
    assert 0 <= made <= math.ceil(waiting / target)
    assert made == 0 or running + made <= most


@given(
    looks=st.lists(st.tuples(st.floats(0.1, 60.0), st.floats(0.0, 20.0)), min_size=1, max_size=40),
    least=st.integers(0, 3),
    more=st.integers(0, 20),
)
def test_replicas_stay_within_their_bounds_and_never_more_than_double_or_four(
    looks: list[tuple[float, float]], least: int, more: int
) -> None:
    hpa, current, now_s = Hpa(Replicas(least, least + more, 0.6)), least, 0.0
    for gone_s, ratio in looks:
        now_s += gone_s
        wanted = hpa.decide(now_s, current, ratio)
        assert least <= wanted <= least + more
        assert wanted <= max(2 * current, current + 4)
        current = wanted


def test_replicas_are_not_taken_away_before_the_load_was_low_for_five_minutes() -> None:
    hpa = Hpa(Replicas(1, 10, 0.5))
    assert hpa.decide(0.0, 4, 2.0) == 8
    assert hpa.decide(290.0, 8, 0.1) == 8
    assert hpa.decide(301.0, 8, 0.1) == 1


def test_a_node_is_ordered_once_and_given_back_when_it_was_empty_for_long() -> None:
    pool = NodePool(NodeSpec(cores=2.0, least=1, most=3, start_s=(60.0, 60.0)), np.random.default_rng(0))
    assert pool.place(2.0) == 0
    assert pool.place(1.0) is None
    assert pool.scan(10.0, 2, 1.0) == [70.0]
    assert pool.scan(20.0, 2, 1.0) == []
    pool.arrive(70.0, 10.0)
    assert pool.place(1.0) == 1
    pool.release(1, 1.0, 100.0)
    pool.scan(600.0, 0, 1.0)
    assert pool.size == 2
    pool.scan(701.0, 0, 1.0)
    assert pool.size == 1
    # One from the beginning, the other from its order to its end.
    assert pool.paid_s(701.0) == pytest.approx(701.0 + 691.0)


def test_a_lognormal_time_has_the_mean_and_the_spread_that_were_asked_for() -> None:
    drawn = lognormal(np.random.default_rng(0), 200_000, 2.0, 0.5)
    assert drawn.mean() == pytest.approx(2.0, rel=0.01)
    assert np.percentile(drawn, 95) / np.median(drawn) == pytest.approx(math.exp(1.6449 * 0.5), rel=0.02)
    assert spread_of(1.0, math.exp(1.6449 * 0.5)) == pytest.approx(0.5)
