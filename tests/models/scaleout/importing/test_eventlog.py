import itertools
import tracemalloc
from pathlib import Path

import pytest

from common.errors import Invalid
from models.scaleout.importing.eventlog import EventLog, of_lines, read
from models.scaleout.records import Application
from tests.models.scaleout.importing import events

REAL = Path(__file__).with_name("data")


def application(*lines: bytes) -> Application:
    return of_lines(lines, "log").application()


def test_a_run_has_its_times_its_jobs_and_its_stages() -> None:
    run = application(*events.small_run())
    assert (run.application_id, run.runtime_s, run.start_scale_out, run.end_scale_out) == ("app-1", 10.0, 2, 2)
    (job,) = run.jobs
    assert (job.job_id, job.runtime_s, job.start_scale_out) == (0, 8.0, 2)
    assert [(each.runtime_s, each.parents, each.num_tasks) for each in job.stages.values()] == [
        (3.0, (), 2),
        (5.0, (0,), 1),
    ]
    assert job.stages[0].start_s == events.at(1)


def test_sizes_of_data_sets_are_added_up_and_negative_ones_count_as_nothing() -> None:
    stage = application(*events.small_run()).jobs[0].stages[0]
    assert (stage.rdd_num_partitions, stage.rdd_num_cached_partitions) == (5, 1)
    assert (stage.rdd_mem_size, stage.rdd_disk_size) == (100, 7)


def test_the_context_is_what_spark_was_told() -> None:
    context = application(*events.small_run()).context
    assert (context.system, context.algorithm, context.cores, context.memory_mb) == ("spark", "kmeans", 2, 4096.0)
    assert context.versions == {"spark": "3.5.1", "java": "17.0.15", "scala": "2.13.18"}


def test_metrics_are_of_all_tasks_of_a_stage() -> None:
    job = [events.start(), events.job_start(0, 1, [events.stage(0)])]
    done = events.stage(0, start_s=1, end_s=4)
    tasks = [
        events.task(0, run_ms=1000, cpu_ms=900, gc_ms=100, read=10, written=40, spilled=5, peak=10),
        events.task(0, run_ms=3000, cpu_ms=900, gc_ms=300, read=10, written=0, in_=7),
    ]
    metrics = application(*job, *tasks, events.completed(done), events.job_end(0, 4)).jobs[0].stages[0].metrics
    assert metrics.cpu_utilization == pytest.approx(0.45)
    assert metrics.gc_time_ratio == pytest.approx(0.1)
    assert metrics.shuffle_rw_ratio == pytest.approx(0.5)
    assert metrics.data_io_ratio == 1.0
    assert metrics.memory_spill_ratio == pytest.approx(0.5)


def test_a_stage_whose_output_was_there_has_no_times() -> None:
    ran = events.stage(1, start_s=2, end_s=3)
    run = application(
        events.start(),
        events.job_start(0, 1, [events.stage(0), events.stage(1, parents=[0])]),
        events.submitted(ran),
        events.completed(ran),
        events.job_end(0, 3),
    )
    skipped, stage = run.jobs[0].stages[0], run.jobs[0].stages[1]
    assert (skipped.start_s, skipped.end_s, skipped.metrics.cpu_utilization) == (None, None, None)
    assert stage.runtime_s == 1.0


def test_of_a_stage_that_was_begun_again_the_latest_attempt_counts() -> None:
    failed = events.stage(0, start_s=1, end_s=2, failure="FetchFailed")
    again = events.stage(0, attempt=1, start_s=2, end_s=5)
    run = application(
        events.start(),
        events.job_start(0, 1, [events.stage(0)]),
        *(events.submitted(failed), events.task(0, cpu_ms=100), events.completed(failed)),
        *(events.submitted(again), events.task(0, 1, cpu_ms=700), events.completed(again)),
        events.job_end(0, 5),
    )
    stage = run.jobs[0].stages[0]
    assert (stage.attempt, stage.runtime_s, stage.failure_reason) == (1, 3.0, None)
    assert stage.metrics.cpu_utilization == pytest.approx(0.7)


def test_a_failed_stage_says_why() -> None:
    failed = events.stage(0, start_s=1, end_s=2, failure="Job aborted")
    run = application(events.start(), events.job_start(0, 1, [failed]), events.completed(failed), events.job_end(0, 2))
    assert run.jobs[0].stages[0].failure_reason == "Job aborted"


def test_a_stage_that_two_jobs_need_counts_in_the_one_that_ran_it() -> None:
    shared = events.stage(0, start_s=1, end_s=2)
    later = events.stage(1, start_s=3, end_s=4, parents=[0])
    run = application(
        events.start(),
        events.job_start(0, 1, [events.stage(0)]),
        *(events.completed(shared), events.job_end(0, 2)),
        events.job_start(1, 3, [events.stage(0), events.stage(1, parents=[0])]),
        *(events.completed(later), events.job_end(1, 4)),
    )
    assert run.jobs[0].stages[0].runtime_s == 1.0
    assert run.jobs[1].stages[0].runtime_s is None


def test_executors_that_come_and_go_are_in_the_scale_outs_of_jobs() -> None:
    run = application(
        events.start(),
        events.added("1", 0),
        events.job_start(0, 1, [events.stage(0)]),
        events.added("2", 3),
        events.added("3", 5),
        events.completed(events.stage(0, start_s=1, end_s=9)),
        events.job_end(0, 9),
    )
    job = run.jobs[0]
    assert (job.start_scale_out, job.end_scale_out) == (1, 3)
    assert job.rescaling_time_ratio == pytest.approx(0.5)
    assert (run.start_scale_out, run.end_scale_out) == (1, 3)


def test_a_log_that_stops_in_the_middle_tells_what_it_knows() -> None:
    lines = events.small_run()
    run = application(*lines[:-2], lines[-2][:20])
    assert run.end_s is None
    assert run.jobs[0].end_s is None
    assert run.jobs[0].stages[1].runtime_s == 5.0


def test_lines_that_are_no_events_are_passed_over_and_counted() -> None:
    log = of_lines([b"nonsense", *events.small_run(), events.line("JobStart")], "log")
    assert log.skipped == 2
    assert len(log.application().jobs) == 1


def test_events_of_sql_are_passed_over() -> None:
    log = EventLog()
    assert log.feed(b'{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"}') == ""
    assert log.skipped == 0


def test_a_job_whose_start_was_compacted_away_keeps_its_end() -> None:
    run = application(events.start(), events.job_end(3, 5))
    assert [(job.job_id, job.end_s) for job in run.jobs] == [(3, events.at(5))]


def test_attempts_of_an_application_are_runs_of_their_own() -> None:
    runs = [application(events.start(attempt=attempt)) for attempt in ("1", "2")]
    assert [run.execution_id for run in runs] == ["app-1_1", "app-1_2"]


def test_a_run_that_atoll_submitted_keeps_its_id_and_its_bounds() -> None:
    own = "spark.customExtraListener."
    properties = {
        f"{own}applicationExecutionId": "0123",
        f"{own}algorithmName": "gbt",
        f"{own}dataSizeMB": "800",
        f"{own}algorithmArgs": '["5", "hdfs://data"]',
        f"{own}minScaleOut": "2",
        f"{own}maxScaleOut": "8",
        f"{own}maxRuntime": "300",
        f"{own}method": "ellis",
    }
    run = application(events.environment(properties), events.start())
    assert (run.execution_id, run.context.algorithm, run.context.data_size_mb) == ("0123", "gbt", 800.0)
    assert run.context.arguments == ("5", "hdfs://data")
    assert (run.min_scale_out, run.max_scale_out, run.target_s, run.solution) == (2, 8, 300.0, "ellis")


def test_properties_may_be_a_list_of_pairs() -> None:
    told = events.line("EnvironmentUpdate", **{"Spark Properties": [["spark.executor.memory", "512m"]]})
    assert application(told, events.start()).context.memory_mb == 512.0


def test_a_file_that_is_no_event_log_is_refused_with_what_to_send(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(Invalid, match=r"notes\.txt is no event log of Spark.*spark\.eventLog\.dir"):
        read(tmp_path / "notes.txt")


def test_a_real_rolling_log_of_spark_4_is_read() -> None:
    (path,) = REAL.glob("eventlog_v2_*")
    run = read(path)
    assert run.context.algorithm == "kmeans"
    assert run.context.versions["spark"].startswith("4.")
    assert len(run.jobs) == 14
    assert all(job.runtime_s is not None and job.start_scale_out == 2 for job in run.jobs)
    assert 0 < max(stage.metrics.cpu_utilization or 0 for job in run.jobs for stage in job.stages.values()) <= 1
    assert any(stage.start_s is None for job in run.jobs for stage in job.stages.values())


def test_reading_the_same_log_twice_gives_the_same_run() -> None:
    (path,) = REAL.glob("eventlog_v2_*")
    assert read(path) == read(path)


def test_what_is_no_text_harms_no_other_line() -> None:
    wrong = [b"1", b"[]", b"null", b"\xff\xfe", b'{"Event":"SparkListenerJobEnd","Job ID":"\xe9"}']
    log = of_lines([*wrong, *events.small_run(), *wrong], "log")
    assert (log.skipped, log.application().jobs) == (10, application(*events.small_run()).jobs)


def test_a_log_of_very_many_tasks_takes_no_more_memory_than_one_of_few() -> None:
    begin, end = events.small_run()[:-2], events.small_run()[-2:]

    def peak(tasks: int) -> int:
        tracemalloc.start()
        try:
            of_lines(itertools.chain(begin, itertools.repeat(events.task(0), tasks), end), "log")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20_000) < peak(100) + 100_000
