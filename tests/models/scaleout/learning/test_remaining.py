from dataclasses import replace

import numpy as np
import pytest

from models.scaleout.learning import context, ellis
from models.scaleout.learning.course import NAMES, Course, compare
from models.scaleout.learning.remaining import FEW_RUNS, NAME, RemainingModel, Rows, comparable
from models.scaleout.records import Application
from tests.models.scaleout.learning.runs import CONTEXT, run_of_jobs, whole_run

_TIMES = np.array([5.0, 40.0, 40.0, 10.0, 60.0, 30.0, 20.0, 20.0])


def slow_or_fast(count: int, *, jobs: int = 8, signature: str = "same", seed: int = 6) -> list[Application]:
    """Runs that are faster or slower all along: who knows how long the first jobs took knows the others."""
    random = np.random.default_rng(seed)
    return [
        run_of_jobs(
            f"{signature} {place}",
            list(_TIMES[:jobs] * speed * np.exp(random.normal(0, 0.03, jobs))),
            [4] * jobs,
            start_s=place * 1000.0,
            signature=signature,
        )
        for place, speed in enumerate(np.exp(random.normal(0, 0.4, count)))
    ]


def cut(run: Application, jobs: int) -> Application:
    """As it was when so many jobs had ended."""
    return replace(run, jobs=tuple(run.jobs)[:jobs], end_s=None)


def left_s(run: Application, jobs: int) -> float:
    return (run.end_s or 0.0) - (run.jobs[jobs - 1].end_s or 0.0)


@pytest.fixture(scope="module")
def learnt() -> tuple[RemainingModel, list[Application]]:
    runs = slow_or_fast(90)
    return RemainingModel.fit(runs[:70]), runs[70:]


def test_a_slow_run_is_expected_to_stay_slow(learnt: tuple[RemainingModel, list[Application]]) -> None:
    model, new = learnt
    true = np.array([left_s(run, 4) for run in new])
    found = [model.predict(cut(run, 4), [4])[0] for run in new]
    assert {one.model for one in found} == {NAME}
    said = np.array([one.median_s for one in found])
    assert np.abs(said - true).mean() < 0.4 * np.abs(np.median(true) - true).mean()


def test_intervals_hold_about_as_often_as_they_say(learnt: tuple[RemainingModel, list[Application]]) -> None:
    model, new = learnt
    held = []
    for run in new:
        for jobs in range(1, 8):
            (one,) = model.predict(cut(run, jobs), [4])
            held.append(one.low90_s <= left_s(run, jobs) <= one.high90_s)
    assert 0.8 < np.mean(held) <= 1.0


def test_other_scale_outs_are_answered_by_the_ratio_of_the_curves() -> None:
    history = [
        run_of_jobs(f"{place}", [200.0 / n] * 5, [n] * 5, start_s=1000.0 * place)
        for place, n in enumerate((2, 4, 8, 16, 2, 4))
    ]
    model = RemainingModel.fit(history)
    now, twice = model.predict(run_of_jobs("now", [50.0, 50.0], [4, 4], start_s=9e4, ended=False), [4, 8])
    assert twice.median_s == pytest.approx(now.median_s / 2, rel=0.1)
    assert twice.high90_s == pytest.approx(now.high90_s / 2, rel=0.1)


def test_what_a_run_is_compared_with_started_before_it() -> None:
    runs = slow_or_fast(8)
    spoilt = [*runs[:5], *(replace(run, jobs=(), end_s=None) for run in runs[5:])]
    rows, fewer = Rows.of(runs), Rows.of(spoilt)
    assert fewer.features == pytest.approx(rows.features[: len(fewer.features)])
    assert len(fewer.features) == 2 * 7


def test_targets_never_matter() -> None:
    runs = slow_or_fast(8)
    aimed = [replace(run, target_s=float(place)) for place, run in enumerate(runs)]
    assert Rows.of(aimed).features == pytest.approx(Rows.of(runs).features)
    assert comparable(aimed[0]) == comparable(runs[0])


def test_features_have_a_name_each() -> None:
    runs = [course for run in slow_or_fast(5) if (course := Course.of(run)) is not None]
    compared = compare(runs[-1], 3, runs[:-1])
    assert compared is not None
    assert len(compared[0]) == len(NAMES)
    assert np.isfinite(compared[0]).all()


def test_a_run_longer_than_all_before_is_not_compared() -> None:
    runs = [course for run in slow_or_fast(5, jobs=3) if (course := Course.of(run)) is not None]
    (longer,) = slow_or_fast(1)
    course = Course.of(longer)
    assert course is not None
    assert compare(course, 5, runs) is None


@pytest.mark.parametrize(
    ("known", "jobs", "name"),
    [
        (0, 2, context.PRIOR),
        (1, 0, ellis.ONE_RUN),
        (1, 2, FEW_RUNS),
        (4, 2, FEW_RUNS),
        (4, 0, ellis.MEANS),
        (4, 8, ellis.MEANS),
    ],
)
def test_little_history_degrades_to_a_simpler_model_that_is_named(known: int, jobs: int, name: str) -> None:
    *history, run = slow_or_fast(known + 1)
    (one,) = RemainingModel.fit(history).predict(cut(run, jobs), [4])
    assert one.model == name
    assert 0 < one.low90_s <= one.low80_s <= one.median_s <= one.high80_s <= one.high90_s


def test_runs_of_which_only_the_whole_is_known_are_learnt_as_a_whole() -> None:
    history = [whole_run(f"{n}", n, 400.0 / n, start_s=n * 1e4) for n in (2, 4, 8)]
    run = Application("now", CONTEXT, start_s=1e6)
    (one,) = RemainingModel.fit(history).predict(run, [4])
    assert one.model == context.FULL
    assert one.median_s == pytest.approx(100.0, rel=0.2)


def test_runs_of_other_signatures_are_not_compared_job_by_job() -> None:
    (other,) = slow_or_fast(1, signature="another")
    assert comparable(other) != comparable(slow_or_fast(1)[0])
