"""What past runs lead to expect of a stage."""

from dataclasses import replace

import numpy as np
import pytest

from models.scaleout.graph.history import History, Past, log_size, shares
from models.scaleout.graph.running import Trail
from models.scaleout.records import Application, Context, Stage
from tests.models.scaleout.graph.synthetic import made_run, made_runs


def test_a_stage_is_expected_to_take_what_it_took_at_that_size_and_scale_out() -> None:
    history = History(made_runs(("kmeans",), repeats=4))
    run = made_run("kmeans", 200.0, 3, seed=50)
    anchor = Past(history).anchor("kmeans", "compute at kmeans", 1)
    assert anchor is not None
    rows = History([run]).jobs[0]
    wrong = [abs(anchor.expected(row) - row.log_s) for one in rows for row in one.rows[1:2]]
    assert np.mean(wrong) < 0.3


def test_a_run_that_does_not_count_leaves_no_trace() -> None:
    runs = made_runs(("kmeans",))
    alone = Past(History(runs[1:])).anchor("kmeans", "read at kmeans", 0)
    masked = Past(History(runs), np.arange(len(runs)) > 0).anchor("kmeans", "read at kmeans", 0)
    assert alone is not None
    assert masked is not None
    np.testing.assert_allclose(masked.parts, alone.parts)
    np.testing.assert_allclose(masked.features, alone.features)


def test_a_stage_is_compared_with_the_nearest_that_is_known() -> None:
    past = Past(History(made_runs(("kmeans",))))
    asked = [
        ("kmeans", "read at kmeans", 0),
        ("kmeans", "read at kmeans", 7),
        ("kmeans", "none", 0),
        ("none", "none", 0),
    ]
    found = [past.anchor(*stage) for stage in asked]
    assert [None if one is None else round(3 * one.features[6]) for one in found] == [0, 1, 2, 3]


def test_a_job_that_always_takes_longer_than_those_after_it_is_expected_to() -> None:
    anchor = Past(History(made_runs(("kmeans",)))).anchor("kmeans", "read at kmeans", 0)
    assert anchor is not None
    first, second = (np.array(anchor.seconds(float(np.log(200.0)), (job, 0))) for job in (0, 1))
    np.testing.assert_allclose(first / second, 2, rtol=0.2)


def test_a_stage_that_mostly_waits_is_not_expected_to_grow_with_the_data_and_one_that_works_is() -> None:
    def run(size_mb: float, scale_out: int) -> Application:
        made = made_run("kmeans", size_mb, scale_out)
        waits, works = (1.0, size_mb / 100 / scale_out)
        stages = {
            0: Stage(0, "waits", num_tasks=8, start_s=0.0, end_s=waits, start_scale_out=scale_out),
            1: Stage(1, "works", num_tasks=8, start_s=0.0, end_s=works, start_scale_out=scale_out),
        }
        return replace(made, jobs=[replace(made.jobs[0], stages=stages)])

    past = Past(History([run(size, count) for size in (100.0, 250.0) for count in (1, 2, 4)]))
    (asked,) = History([run(1000.0, 2)]).jobs[0]
    found = [past.anchor("kmeans", name, at) for at, name in enumerate(("waits", "works"))]
    expected = [np.exp(one.expected(row)) for one, row in zip(found, asked.rows, strict=True) if one]
    np.testing.assert_allclose(expected, [1.0, 5.0], rtol=0.2)


@pytest.mark.parametrize(
    ("tasks", "slots", "share"), [(8, 1, 1.0), (8, 3, 3 / 8), (8, 4, 2 / 8), (1, 4, 1.0), (8, 64, 1 / 8), (0, 4, 1 / 4)]
)
def test_tasks_run_in_whole_waves(tasks: int, slots: int, share: float) -> None:
    assert shares(np.array(tasks), np.array(slots)) == pytest.approx(share)


def test_without_runs_nothing_is_expected() -> None:
    assert Past(History([])).anchor("kmeans", "read at kmeans", 0) is None


@pytest.mark.parametrize("size", [None, 0.0, -5.0, float("inf"), float("nan")])
def test_a_size_that_cannot_be_is_unknown(size: float | None) -> None:
    assert np.isnan(log_size(Context("spark", "kmeans", data_size_mb=size)))


def test_one_run_at_one_scale_out_is_enough_to_expect_something_finite() -> None:
    anchor = Past(History([made_run()])).anchor("kmeans", "read at kmeans", 0)
    assert anchor is not None
    for size in (float("nan"), 1e-3, 1e9):
        assert np.isfinite(anchor.seconds(float(np.log(size)), (9, 9))).all()
    assert np.isfinite(anchor.summary((9, 9))).all()


def test_a_run_slower_than_expected_is_told_to_be() -> None:
    history = History(made_runs(("kmeans",), repeats=3))
    past = Past(history)
    run = made_run("kmeans", 400.0, 1, seed=7)
    jobs = History([run]).jobs[0]
    slower = [replace(one, rows=tuple(replace(row, log_s=row.log_s + 1) for row in one.rows)) for one in jobs]
    usual, slow = (Trail(past, "kmeans", told).after(3).summary(("read at kmeans", 0), 4) for told in (jobs, slower))
    assert slow[1] - usual[1] > 0.5


def test_before_a_job_has_ended_nothing_is_told_of_the_run() -> None:
    past = Past(History(made_runs(("kmeans",))))
    assert not Trail(past, "kmeans", []).after(0).summary(("read at kmeans", 0), 0).any()
