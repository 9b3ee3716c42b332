"""The graph model as it answers. Its weights are random: what is asserted holds for any."""

from dataclasses import replace

import numpy as np
import pytest

from models.scaleout.graph.coming import TooLittleHistory, ahead
from models.scaleout.graph.history import History
from models.scaleout.graph.model import CORRECTED, NAME, GraphModel, calibrated
from models.scaleout.records import Application, Context
from tests.models.scaleout.graph.synthetic import begun, made_run, made_runs
from tests.models.scaleout.graph.untrained import untrained

RUNS = made_runs(("kmeans",))
HISTORY = History(RUNS)
NEW = made_run("kmeans", 300.0, 2, seed=9)
CANDIDATES = range(1, 5)


@pytest.fixture(scope="module")
def model() -> GraphModel:
    return untrained()


def test_every_candidate_has_a_forecast_whose_ends_do_not_cross(model: GraphModel) -> None:
    found = model.coming(HISTORY, begun(NEW, 2), CANDIDATES).remaining
    assert len(found) == 4
    for one in found:
        assert 0 < one.low90_s <= one.low80_s <= one.median_s <= one.high80_s <= one.high90_s
        assert one.model == CORRECTED


def test_before_the_first_job_the_whole_run_is_to_come_and_nothing_is_corrected(model: GraphModel) -> None:
    found = model.coming(HISTORY, begun(NEW, 0), CANDIDATES)
    assert found.job_ids == (0, 1, 2, 3, 4, 5)
    assert {one.model for one in found.remaining} == {NAME}


def test_what_remains_is_the_sum_of_the_coming_jobs(model: GraphModel) -> None:
    found = model.coming(HISTORY, begun(NEW, 3), CANDIDATES)
    assert found.job_s.shape == (3, 4)
    assert [one.median_s for one in found.remaining] == pytest.approx(found.job_s.sum(axis=0))


def test_candidates_are_answered_together_as_each_alone(model: GraphModel) -> None:
    together = model.coming(HISTORY, begun(NEW, 2), CANDIDATES)
    for place, candidate in enumerate(CANDIDATES):
        alone = model.coming(HISTORY, begun(NEW, 2), [candidate])
        np.testing.assert_allclose(alone.job_s[:, 0], together.job_s[:, place], rtol=1e-5)


def test_only_the_next_job_sees_the_change_of_executors(model: GraphModel) -> None:
    kept, changed = (model.coming(HISTORY, begun(NEW, 2), [4], current=now) for now in (4, 1))
    assert kept.job_s[0, 0] != changed.job_s[0, 0]
    np.testing.assert_allclose(kept.job_s[1:], changed.job_s[1:], rtol=1e-6)


def test_a_run_counts_not_for_itself(model: GraphModel) -> None:
    with_itself = model.coming(History([*RUNS, NEW]), begun(NEW, 0), CANDIDATES)
    without = model.coming(HISTORY, begun(NEW, 0), CANDIDATES)
    np.testing.assert_allclose(with_itself.job_s.sum(0), without.job_s.sum(0), rtol=0.05)


def test_a_finished_run_finds_the_jobs_of_another_not_its_own(model: GraphModel) -> None:
    with pytest.raises(TooLittleHistory):
        model.coming(History([NEW]), begun(NEW, 2), CANDIDATES)


def test_the_deadline_changes_no_forecast(model: GraphModel) -> None:
    runs = [replace(run, target_s=1.0) for run in RUNS]
    for target in (None, 5.0):
        one = model.coming(History(runs), replace(begun(NEW, 2), target_s=target), CANDIDATES)
        np.testing.assert_array_equal(one.job_s, model.coming(HISTORY, begun(NEW, 2), CANDIDATES).job_s)


@pytest.mark.parametrize(
    ("runs", "run", "told"),
    [
        ([], begun(NEW, 2), "no past run of kmeans"),
        (made_runs(("gbt",)), begun(NEW, 2), "no past run of kmeans"),
        (RUNS, NEW, "had a job after number 5"),
        ([replace(RUNS[0], jobs=[replace(job, stages={}) for job in RUNS[0].jobs])], begun(NEW, 0), "no other run"),
    ],
)
def test_too_little_history_is_told_by_its_reason(
    model: GraphModel, runs: list[Application], run: Application, told: str
) -> None:
    with pytest.raises(TooLittleHistory, match=told):
        model.coming(History(runs), run, CANDIDATES)


@pytest.mark.parametrize("candidates", [[], [0], [2, -1]])
def test_scale_outs_below_one_are_refused(model: GraphModel, candidates: list[int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        model.coming(HISTORY, begun(NEW, 1), candidates)


def test_one_past_run_is_enough_for_a_forecast(model: GraphModel) -> None:
    found = model.coming(History([RUNS[0]]), begun(NEW, 1), CANDIDATES)
    assert np.isfinite(found.job_s).all()


def test_past_runs_at_one_scale_out_say_something_of_the_others(model: GraphModel) -> None:
    same = [run for run in RUNS if run.start_scale_out == 2]
    assert np.isfinite(model.coming(History(same), begun(NEW, 1), CANDIDATES).job_s).all()


def test_a_run_of_which_nothing_but_the_algorithm_is_known_is_answered(model: GraphModel) -> None:
    bare = Application("bare", Context("spark", "kmeans"))
    assert len(model.coming(HISTORY, bare, CANDIDATES).remaining) == 4


def test_jobs_without_stages_and_ends_before_starts_do_no_harm(model: GraphModel) -> None:
    broken = [
        replace(job, stages={}) if at == 1 else replace(job, end_s=(job.start_s or 0) - 5)
        for at, job in enumerate(NEW.jobs)
    ]
    odd = replace(NEW, execution_id="odd", jobs=broken)
    found = model.coming(History([*RUNS, odd]), begun(odd, 3), CANDIDATES)
    assert np.isfinite(found.job_s).all()
    assert (found.job_s >= 0).all()


def test_the_most_alike_past_run_says_which_jobs_come() -> None:
    short = replace(made_run("kmeans", 300.0, 2, seed=3, jobs=4), signature="")
    long = replace(made_run("kmeans", 310.0, 2, seed=4, jobs=9), signature="")
    run = replace(begun(made_run("kmeans", 300.0, 2, seed=5, jobs=9), 2), signature="")
    assert len(ahead(History([short, long]), run).jobs) == 7
    assert len(ahead(History([short, long]), replace(run, context=short.context)).jobs) == 2


def test_idle_time_of_past_runs_is_part_of_what_is_to_come() -> None:
    found = ahead(HISTORY, begun(NEW, 2))
    assert found.idle_s == pytest.approx([0.15] * 4, abs=1e-4)


def test_jobs_whose_end_was_told_last_count_even_where_one_before_them_was_not(model: GraphModel) -> None:
    jobs = [NEW.jobs[0], NEW.jobs[2], replace(NEW.jobs[3], end_s=None)]
    found = model.coming(HISTORY, replace(NEW, jobs=jobs), CANDIDATES)
    assert found.job_ids == (3, 4, 5)


def test_margins_make_the_intervals_hold_as_many_runs_as_they_say(model: GraphModel) -> None:
    tests = [
        made_run("kmeans", size, count, seed=seed) for size in (100.0, 400.0) for count in (1, 4) for seed in (7, 8)
    ]
    margins = calibrated(model, HISTORY, tests)
    assert 0 < margins["80"] <= margins["90"]
    fitted = GraphModel(model.arrays, {**model.card, "margins": margins})
    held = total = 0
    for run in tests:
        for finished in range(6):
            begin = run.jobs[finished - 1].end_s if finished else run.start_s
            assert begin is not None
            last = run.jobs[-1].end_s
            assert last is not None
            (one,) = fitted.coming(HISTORY, begun(run, finished), [run.start_scale_out or 1]).remaining
            held += one.low90_s <= last - begin <= one.high90_s
            total += 1
    assert held / total >= 0.88


def test_without_a_run_to_measure_the_margins_are_wide(model: GraphModel) -> None:
    assert calibrated(model, HISTORY, []) == {"80": 1.0, "90": 1.3}


@pytest.mark.parametrize("fault", ["missing", "shape", "infinite"])
def test_arrays_that_fit_not_together_are_refused(model: GraphModel, fault: str) -> None:
    arrays = dict(model.arrays)
    if fault == "missing":
        del arrays["second"]
    elif fault == "shape":
        arrays["second"] = arrays["second"][:, 1:]
    else:
        arrays["second"] = np.full_like(arrays["second"], np.inf)
    with pytest.raises(ValueError, match="second"):
        GraphModel(arrays, model.card)
