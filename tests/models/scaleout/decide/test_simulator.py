"""The simulator that policies are compared with: what it assumes, and that it is fair."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.report import NotMeasured
from benchmarks.scaleout import simulate
from benchmarks.scaleout.picture import picture
from benchmarks.scaleout.policies import Ellis, Fixed, Ours
from benchmarks.scaleout.simulate import DATA, markdown, rows
from benchmarks.scaleout.simulator import (
    PHASES,
    Draw,
    Outcome,
    Policy,
    Ramped,
    Traces,
    best_constant,
    campaign,
    draws,
    oracle,
    play,
    recorded,
)
from benchmarks.scaleout.truth import HIGH, LOW, SCALE_OUTS, SETTINGS, Failure, Run, Truth, read, truth
from models.scaleout.records import Application

JOBS = 5
SETTING = SETTINGS[0]
TRACES = Traces((10.0, 12.0), (((20.0, 12), (30.0, 32)),))


def made_up(noise: float = 0.1, target_s: float = 150.0) -> Truth:
    rng = np.random.default_rng(3)
    base = np.array([10 + 200 / SCALE_OUTS for _ in range(JOBS)])
    profiling = tuple(
        Run("ellis", number, "profiling", base[:, at - LOW] * np.exp(rng.normal(0, noise)), np.full(JOBS, float(at)))
        for number, at in enumerate([36, 20, 12, 8, 10, 9, 14, 16, 11, 10])
    )
    factors = rng.normal(0, noise, (20, 1)) + rng.normal(0, noise, (20, JOBS))
    failures = ((Failure(1, 2.0, 30.0),), (Failure(3, 3.0, 60.0),), ())
    known = np.full(20, JOBS)
    return Truth("made-up", target_s, base, profiling, factors, factors[:8], failures, known)


class Jump:
    """One change, after the first job."""

    name = "jump"

    def __init__(self, first: int, then: int) -> None:
        self._first, self._then = first, then

    def start(self, history: object, target_s: float, draw: Draw) -> int:
        return self._first

    def after(self, run: Application, scale_out: int) -> int:
        return self._then


def steady(truth: Truth) -> Draw:
    return Draw("normal", truth.base_s, 10.0, ())


def test_a_run_that_is_left_alone_takes_the_sum_of_its_jobs() -> None:
    real = made_up()
    outcome = play(Fixed(20), real, steady(real), SETTING, [])
    assert outcome.seconds == pytest.approx(JOBS * 20)
    assert outcome.executor_minutes == pytest.approx(JOBS * 20 * 20 / 60)


def test_added_executors_join_late_and_cost_from_then_on() -> None:
    real = made_up()
    history: list[Application] = []
    outcome = play(Jump(10, 20), real, steady(real), replace(SETTING, warm_s=2.0), history)
    # 30 s alone; 10 s of 30 s until they join, 2 s lost, the other two thirds of 20 s; then three jobs of 20 s.
    second = 10 + 2 + 20 * 2 / 3
    assert outcome.seconds == pytest.approx(30 + second + 60)
    assert outcome.executor_minutes == pytest.approx((10 * 40 + 20 * (second - 10 + 60)) / 60)
    assert outcome.changes == 1
    job = history[0].jobs[1]
    assert (job.start_scale_out, job.end_scale_out) == (10, 20)
    assert job.rescaling_time_ratio == pytest.approx(10 / second)


def test_removed_executors_are_gone_at_once() -> None:
    real = made_up()
    outcome = play(Jump(20, 10), real, steady(real), SETTING, [])
    assert outcome.seconds == pytest.approx(20 + 4 * 30)
    assert outcome.executor_minutes == pytest.approx((20 * 20 + 10 * 120) / 60)


def test_dynamic_allocation_follows_the_ramp_whatever_the_target() -> None:
    real = made_up()
    ramped = replace(steady(real), ramp=((20.0, 20), (1e6, 36)))
    near, far = (play(Ramped(), replace(real, target_s=target), ramped, SETTING, []) for target in (1.0, 1e6))
    assert near.seconds == far.seconds < play(Fixed(LOW), real, ramped, SETTING, []).seconds
    assert near.executor_minutes == pytest.approx((20 * LOW + (near.seconds - 20) * 20) / 60)


@pytest.mark.parametrize("make", [lambda: Fixed(12), Ramped, Ellis, Ours])
def test_every_policy_meets_the_same_runs(make: type[Policy]) -> None:
    real = made_up()
    first, second = draws(real, SETTING, TRACES, 5), draws(real, SETTING, TRACES, 5)
    assert all((a.times_s == b.times_s).all() and a.delay_s == b.delay_s for a, b in zip(first, second, strict=True))
    outcomes = campaign(real, SETTING, TRACES, 5, make)
    assert [outcome.phase for outcome in outcomes] == list(PHASES)
    assert not (draws(real, SETTING, TRACES, 6)[0].times_s == first[0].times_s).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_is_at_least_as_good_as_the_best_constant(seed: int) -> None:
    real = made_up(noise=0.4)
    for drawn in draws(real, SETTING, TRACES, seed):
        best, constant = oracle(real, drawn), best_constant(real, drawn)
        assert (best.excess_minutes > 0) <= (constant.excess_minutes > 0)
        if constant.excess_minutes == 0:
            # The price on time leaves a gap of at most one job's step.
            assert best.executor_minutes <= 1.05 * constant.executor_minutes


def test_ours_misses_less_than_the_fewest_executors_and_costs_less_than_the_most() -> None:
    real = made_up()
    ours, fewest, most = (
        campaign(real, SETTING, TRACES, 1, make) for make in (Ours, lambda: Fixed(LOW), lambda: Fixed(HIGH))
    )
    missed = [sum(outcome.excess_minutes > 0 for outcome in each) for each in (ours, fewest)]
    assert missed[0] < missed[1]
    assert sum(outcome.executor_minutes for outcome in ours) < sum(outcome.executor_minutes for outcome in most)


def test_policies_begin_with_the_profiling_runs_as_they_were() -> None:
    runs = recorded(made_up())
    assert [run.start_scale_out for run in runs][:3] == [36, 20, 12]
    assert all(run.runtime_s and len(run.jobs) == JOBS for run in runs)


def test_of_a_published_port_the_scale_out_that_was_asked_for_is_one_change_behind() -> None:
    run = Run("ellis", 11, "normal", np.ones(8), np.array([4.0, 4, 4, 9, 9, 9, 20, 20]))
    assert run.prefix == 3
    assert run.shifted.tolist() == [4, 4, 4, 4, 4, 9, 9, 9]


def campaign_runs() -> list[Run]:
    rng = np.random.default_rng(0)
    runs = []
    for number in range(30):
        phase = "profiling" if number < 10 else "normal" if number < 20 else "anomalous"
        at = float(rng.integers(8, 20))
        times = (10 + 200 / at) * np.exp(rng.normal(0, 0.02, 9))
        if number == 25:
            times[4] *= 3
        scale_outs = np.full(9, at)
        if phase != "profiling":
            scale_outs[6:] = at + 3
        runs.append(Run("ellis", number, phase, times, scale_outs))
        runs.append(Run("enel", number, phase, times, np.full(9, np.nan)))
    return runs


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_truth_is_near_what_the_recorded_runs_took(setting: object) -> None:
    real = truth("made-up", 300.0, campaign_runs(), setting, np.random.default_rng(0))  # type: ignore[arg-type]
    assert real.base_s[:, 12 - LOW] == pytest.approx(np.full(9, 10 + 200 / 12), rel=0.1)
    assert np.isfinite(real.normal).all()
    assert abs(real.normal).mean() < 0.1


def test_a_job_that_takes_longer_than_its_neighbours_in_an_anomalous_run_is_a_failure() -> None:
    real = truth("made-up", 300.0, campaign_runs(), SETTING, np.random.default_rng(0))
    found = [failure for failures in real.failures for failure in failures]
    assert len(found) == 2
    assert all(failure.job == 4 for failure in found)
    assert found[0].factor == pytest.approx(3, rel=0.2)
    # It is replayed as a failure, and not as a slow job too.
    assert abs(real.anomalous).max() < 0.3


def test_the_report_names_what_was_reached() -> None:
    def outcomes(policy: str, seconds: float, minutes: float) -> list[Outcome]:
        # As the simulator gives them.
        taken = np.float64(seconds)
        return [Outcome(policy, "made-up", phase, 100.0, taken, minutes) for phase in ("normal", "failures")]

    found = [*outcomes("ours", 90, 10), *outcomes("Ellis", 110, 12), *outcomes("oracle", 90, 8)]
    table = rows([("A", 0, found)])
    said = markdown(table)
    assert said.count("PASS") == 2
    assert "25 % more executor-minutes" in said
    assert picture(table).count("<circle") == 6
    assert json.loads(json.dumps([asdict(row) for row in table]))[0]["policy"] == "ours"


def test_without_the_recorded_runs_the_simulator_says_what_is_absent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(simulate, "DATA", tmp_path / "away")
    with pytest.raises(NotMeasured, match="away is absent"):
        simulate.run(1, 1)


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded runs, ../shared/data/scaleout, are absent")
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_recorded_runs_and_traces_are_read_whole(setting: object) -> None:
    found = read(DATA / "enel_ellis_jobs.csv.gz")
    traces = Traces.read(DATA / "serverless_traces.csv.gz")
    assert {name: len(runs) for name, (_, runs) in found.items()} == dict.fromkeys(found, 130)
    assert 5 < min(traces.delays_s) < max(traces.delays_s) < 30
    assert len(traces.ramps) == 18
    real = truth("GradientBoostedTrees", *found["GradientBoostedTrees"], setting, np.random.default_rng(0))  # type: ignore[arg-type]
    assert real.base_s.shape == (35, 33)
    assert (real.base_s > 0).all()
    assert real.normal.shape == (40, 35)
    assert real.anomalous.shape == (15, 35)
    assert len(real.failures) == 30
