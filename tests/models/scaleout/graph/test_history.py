"""What past runs lead to expect of a stage."""

from dataclasses import replace

import numpy as np
import pytest

from models.scaleout.graph.history import History, Past, log_size
from models.scaleout.graph.running import Trail
from models.scaleout.records import Context
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
    assert masked.level == pytest.approx(alone.level)
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
    assert [None if one is None else round(3 * one.features[7]) for one in found] == [0, 1, 2, 3]


def test_a_job_that_always_takes_longer_than_those_after_it_is_expected_to() -> None:
    anchor = Past(History(made_runs(("kmeans",)))).anchor("kmeans", "read at kmeans", 0)
    assert anchor is not None
    size = float(np.log(200.0))
    assert anchor.base(size, (0, 0)) - anchor.base(size, (1, 0)) == pytest.approx(np.log(2), abs=0.2)


def test_without_runs_nothing_is_expected() -> None:
    assert Past(History([])).anchor("kmeans", "read at kmeans", 0) is None


@pytest.mark.parametrize("size", [None, 0.0, -5.0, float("inf"), float("nan")])
def test_a_size_that_cannot_be_is_unknown(size: float | None) -> None:
    assert np.isnan(log_size(Context("spark", "kmeans", data_size_mb=size)))


def test_one_run_at_one_scale_out_is_enough_to_expect_something_finite() -> None:
    anchor = Past(History([made_run()])).anchor("kmeans", "read at kmeans", 0)
    assert anchor is not None
    assert np.isfinite(anchor.base(float("nan"), (0, 0)))
    assert np.isfinite(anchor.summary(float("nan"), (9, 9))).all()


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
