import numpy as np
import pytest

from models.scaleout.learning.ellis import MEANS, NAME, ONE_RUN, Ellis, steps
from models.scaleout.records import Application, JobExecution
from tests.models.scaleout.learning.runs import CONTEXT, run_of_jobs


def law(job: int, scale_out: int) -> float:
    return 5.0 + 10.0 * job + 100.0 * (job + 1) / scale_out


def history(scale_outs: tuple[int, ...] = (2, 4, 8, 16), noise: float = 0.0) -> list[Application]:
    random = np.random.default_rng(4)
    return [
        run_of_jobs(
            f"run {n}", [law(job, n) * float(np.exp(random.normal(0, noise))) for job in range(4)], [n] * 4, pause_s=2.0
        )
        for n in scale_outs
    ]


def test_what_is_left_is_the_sum_over_the_jobs_to_come_with_what_lies_between_them() -> None:
    left = Ellis.fit(history()).remaining([0, 1], [4, 8])
    assert left == pytest.approx([sum(law(job, n) + 2.0 for job in (2, 3)) for n in (4, 8)], rel=0.02)


def test_nothing_is_left_after_the_last_job_and_all_before_the_first() -> None:
    ellis = Ellis.fit(history())
    assert ellis.remaining([0, 1, 2, 3], [4]) == pytest.approx([0.0])
    assert ellis.remaining([], [4]) == pytest.approx([sum(law(job, 4) + 2.0 for job in range(4))], rel=0.02)


def test_a_job_that_was_rescaled_on_the_way_is_not_taken_for_either_scale_out() -> None:
    rescaled = Application(
        "rescaled",
        CONTEXT,
        start_s=0.0,
        end_s=900.0,
        jobs=(JobExecution(0, 0.0, 900.0, 2, 16), JobExecution(1, 900.0, 1000.0, 4, 4, rescaling_time_ratio=0.5)),
    )
    assert [step.scale_out for step in steps(rescaled)] == [None, None]
    with_it = Ellis.fit([*history(), rescaled]).remaining([], [16])
    assert with_it == pytest.approx(Ellis.fit(history()).remaining([], [16]))


def test_the_scale_out_a_job_really_had_counts_and_not_the_one_before_a_change() -> None:
    """A published port passed the old value on, which made the curves flat."""
    changed = [
        run_of_jobs(
            f"changed at {at}", [law(job, 2 if job < at else 16) for job in range(4)], [2] * at + [16] * (4 - at)
        )
        for at in (1, 2, 3)
    ]
    left = Ellis.fit(changed).remaining([], [2, 16])
    assert left == pytest.approx([sum(law(job, 2) for job in range(4)), sum(law(job, 16) for job in range(4))], rel=0.6)
    assert left[0] > 2 * left[1]


def test_the_target_of_the_past_runs_does_not_matter() -> None:
    times = [[law(job, n) for job in range(4)] for n in (2, 8)]
    plain, aimed = (
        [run_of_jobs(str(n), time, [n] * 4, target_s=target) for n, time in zip((2, 8), times, strict=True)]
        for target in (None, 60.0)
    )
    assert Ellis.fit(plain).remaining([0], [4]) == pytest.approx(Ellis.fit(aimed).remaining([0], [4]))


def test_an_accidental_job_of_one_run_is_not_expected_of_the_next() -> None:
    longer = run_of_jobs("longer", [1.0] * 4 + [500.0], [4] * 5)
    assert 4 not in Ellis.fit([*history(), longer]).curves


@pytest.mark.parametrize(("scale_outs", "name"), [((4,), ONE_RUN), ((4, 4, 4), MEANS), ((2, 4, 8), NAME)])
def test_little_history_is_named(scale_outs: tuple[int, ...], name: str) -> None:
    run = run_of_jobs("now", [law(0, 4)], [4], ended=False)
    (one,) = Ellis.fit(history(scale_outs, noise=0.05)).predict(run, [4])
    assert one.model == name
    assert one.low90_s < one.median_s < one.high90_s


def test_runs_without_scale_outs_give_the_mean_of_each_job() -> None:
    runs = [run_of_jobs(name, [time, 2 * time], [None, None]) for name, time in (("a", 10.0), ("b", 10.0))]
    assert Ellis.fit(runs).remaining([0], [1, 30]) == pytest.approx([20.0, 20.0])


def test_jobs_that_end_before_they_start_and_null_times_are_no_error() -> None:
    odd = Application(
        "odd",
        CONTEXT,
        end_s=50.0,
        jobs=(JobExecution(0, 10.0, 5.0, 2, 2), JobExecution(1, None, 50.0), JobExecution(2)),
    )
    assert all(step.took_s > 0 for step in steps(odd))
    assert np.isfinite(Ellis.fit([odd]).remaining([], [2])).all()


def test_no_finished_job_is_refused() -> None:
    with pytest.raises(ValueError, match="finished job"):
        Ellis.fit([Application("empty", CONTEXT)])
