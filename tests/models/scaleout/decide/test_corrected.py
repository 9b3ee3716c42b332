"""Curves of each job, corrected on the run that is under way."""

import numpy as np
import pytest

from models.scaleout.decide import Corrected, Progress
from models.scaleout.records import JobExecution
from tests.models.scaleout.decide.runs import history, run


def test_the_time_at_known_scale_outs_is_found() -> None:
    model = Corrected.fit(history([4, 8, 12, 16, 24, 36] * 3))
    found = [forecast.median_s for forecast in model.remaining()([4, 12, 36])]
    assert found == pytest.approx([6 * (10 + 120 / at) for at in (4, 12, 36)], rel=0.06)


def test_what_is_left_is_of_the_jobs_to_come() -> None:
    model = Corrected.fit(history([8] * 5))
    progress = Progress(3, 100.0, dict.fromkeys(range(4), 25.0), dict.fromkeys(range(4), 8))
    (left,) = model.remaining(progress)([8])
    assert left.median_s == pytest.approx(2 * 25, rel=0.05)
    assert [job_id for job_id, _ in model.by_job(progress)(8)] == [4, 5]
    assert sum(time for _, time in model.by_job(progress)(8)) == pytest.approx(left.median_s)


def test_a_slow_run_is_expected_to_go_on_slowly_when_runs_do() -> None:
    rng = np.random.default_rng(1)
    past = [run(8, np.full(6, 25.0) * np.exp(rng.normal(0, 0.3)), number=number) for number in range(20)]
    model = Corrected.fit(past)
    jobs = dict.fromkeys(range(3), 8.0)
    usual = model.remaining(Progress(2, 75.0, dict.fromkeys(jobs, 25.0), jobs))([8])[0]
    slow = model.remaining(Progress(2, 112.5, dict.fromkeys(jobs, 37.5), jobs))([8])[0]
    assert slow.median_s > 1.3 * usual.median_s


def test_nothing_is_left_after_the_last_job() -> None:
    model = Corrected.fit(history([8] * 4))
    (left,) = model.remaining(Progress(5, 150.0))([8])
    assert left.median_s == left.high90_s == 0
    assert model.by_job(Progress(5, 150.0))(8) == []


def test_intervals_cover_about_what_they_say() -> None:
    runs = history([8, 12, 16, 20] * 30, noise=0.15, seed=5)
    inside = [
        forecast.low80_s <= (run.runtime_s or 0) <= forecast.high80_s
        for at in range(40, 120)
        for run in [runs[at]]
        for forecast in Corrected.fit(runs[:at]).remaining()([run.start_scale_out or 0])
    ]
    assert 0.7 <= np.mean(inside) <= 0.92


def test_intervals_widen_away_from_what_was_tried() -> None:
    known, far = Corrected.fit(history([20] * 8)).remaining()([20, 5])
    assert far.high90_s / far.low90_s > 1.5 * known.high90_s / known.low90_s


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_run_is_enough_to_answer(count: int) -> None:
    model = Corrected.fit(history([8] * count))
    assert f"{count} run" in model.name
    for forecast in model.remaining()([1, 8, 64]):
        assert 0 < forecast.low90_s <= forecast.low80_s <= forecast.median_s <= forecast.high80_s <= forecast.high90_s


def test_runs_without_times_are_no_history() -> None:
    empty = run(8, [])
    skipped = run(8, [])
    with pytest.raises(ValueError, match="no finished run"):
        Corrected.fit([empty, skipped])
    with pytest.raises(ValueError, match="no finished run"):
        Corrected.fit([])


def test_a_job_that_few_runs_have_is_not_expected() -> None:
    runs = [*history([8] * 4), *history([8], jobs=9)]
    assert Corrected.fit(runs).job_ids == tuple(range(6))


def test_progress_is_that_of_the_jobs_that_ended() -> None:
    whole = run(8, [10, 20, 30])
    assert Progress.of(whole) == Progress(2, 60.0, {0: 10, 1: 20, 2: 30}, {0: 8, 1: 8, 2: 8})
    assert Progress.of(run(8, [])) is None


def test_a_job_during_which_executors_joined_lies_between() -> None:
    from models.scaleout.decide.corrected import used

    assert used(JobExecution(0, 0, 100, 4, 12, rescaling_time_ratio=0.25)) == 10
    assert used(JobExecution(0, 0, 100, None, 12)) == 12
    assert used(JobExecution(0, 0, 100)) is None
