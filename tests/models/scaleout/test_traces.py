from collections import Counter
from itertools import product
from statistics import median

from models.scaleout.records import Application
from models.scaleout.rows import application_of, told_of
from models.scaleout.traces import PATH, carried

ALGORITHMS = {"gbt", "kmeans", "logisticregression", "mpc"}
SIZES_MB = (4.0, 9.6, 24.0)


def stages_ran(run: Application) -> int:
    return sum(stage.runtime_s is not None for job in run.jobs for stage in job.stages.values())


def test_the_carried_runs_are_small_enough_to_carry() -> None:
    assert PATH.stat().st_size <= 3_000_000


def test_every_algorithm_ran_at_every_size_and_scale_out_several_times() -> None:
    runs = Counter((run.context.algorithm, run.context.data_size_mb, run.start_scale_out) for run in carried())
    assert set(runs) == set(product(ALGORITHMS, SIZES_MB, (1, 2, 3, 4)))
    assert min(runs.values()) >= 3


def test_undisturbed_runs_are_faster_with_more_executors_and_slower_with_more_data() -> None:
    def typical_s(algorithm: str, size_mb: float, count: int) -> float:
        return median(
            run.runtime_s or 0.0
            for run in carried()
            if run.context.experiment == "undisturbed"
            and (run.context.algorithm, run.context.data_size_mb, run.start_scale_out) == (algorithm, size_mb, count)
        )

    for algorithm in ALGORITHMS:
        assert typical_s(algorithm, 24.0, 1) > 2 * typical_s(algorithm, 24.0, 4)
        assert typical_s(algorithm, 24.0, 1) > 2 * typical_s(algorithm, 4.0, 1)


def test_every_run_is_whole() -> None:
    for run in carried():
        assert run.runtime_s is not None
        assert 0 < run.runtime_s < 600
        assert stages_ran(run) >= 3
        assert [job.job_id for job in run.jobs] == list(range(len(run.jobs)))
        assert all(job.runtime_s is not None for job in run.jobs)
        assert sum(job.runtime_s or 0 for job in run.jobs) <= run.runtime_s * 1.05


def test_a_run_has_one_id() -> None:
    ids = [run.execution_id for run in carried()]
    assert len(ids) == len(set(ids))


def test_in_some_runs_an_executor_was_killed_and_the_others_are_undisturbed() -> None:
    killed = [run for run in carried() if run.context.experiment == "killed"]
    assert killed
    assert all(run.context.experiment in {"killed", "undisturbed"} for run in carried())


def test_a_run_is_the_same_after_it_was_written_and_read() -> None:
    for run in carried()[:3]:
        assert application_of(*told_of(run)) == run
