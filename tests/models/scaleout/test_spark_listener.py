"""What the listener makes of a log is what an import of the log makes of it."""

import ast
import sys
from pathlib import Path

import pytest

from models.scaleout import spark_listener
from models.scaleout.importing.eventlog import of_lines, read
from models.scaleout.importing.lines import lines
from models.scaleout.old_definitions import OldUpdate
from models.scaleout.records import JobExecution
from models.scaleout.rows import job_of
from models.scaleout.spark_listener import Events
from tests.models.scaleout.importing import events

REAL = Path(__file__).parent / "importing" / "data"


def told(log: list[bytes]) -> list[OldUpdate]:
    """The events of a log, as Atoll's old routes read them."""
    following = Events()
    found = [following.feed(line.decode()) for line in log]
    return [
        OldUpdate.model_validate({"application_execution_id": "run", "update_event": event[0], "updates": event[1]})
        for event in found
        if event is not None
    ]


def jobs(log: list[bytes]) -> list[JobExecution]:
    return [job_of(job) for update in told(log) for job in update.told()[1]]


def real_log() -> list[bytes]:
    (path,) = REAL.glob("eventlog_v2_*")
    return list(lines(path))


def test_of_a_real_log_it_tells_what_an_import_tells() -> None:
    (path,) = REAL.glob("eventlog_v2_*")
    imported = read(path)
    assert jobs(real_log()) == list(imported.jobs)


def test_it_tells_the_start_every_job_and_the_end() -> None:
    assert [update.update_event for update in told(real_log())] == [
        "APPLICATION_START",
        *["JOB_END"] * 14,
        "APPLICATION_END",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        [events.added("2", 3), events.added("3", 5)],
        [events.removed("1", 3)],
        [events.removed("1", 3), events.added("2", 6)],
    ],
)
def test_it_tells_what_an_import_tells_where_executors_come_and_go(changes: list[bytes]) -> None:
    done = events.stage(0, start_s=1, end_s=9)
    log = [
        *(events.start(), events.added("0", 0), events.added("1", 0.5)),
        *(events.job_start(0, 1, [events.stage(0)]), events.submitted(done), *changes),
        *(events.task(0, cpu_ms=250, gc_ms=20), events.completed(done), events.job_end(0, 9)),
    ]
    assert jobs(log) == list(of_lines(log, "log").application().jobs)


def test_a_stage_whose_output_an_earlier_job_left_has_no_times() -> None:
    shared, own = events.stage(0, start_s=1, end_s=2), events.stage(1, start_s=3, end_s=4, parents=[0])
    log = [
        *(events.start(), events.job_start(0, 1, [events.stage(0)]), events.submitted(shared)),
        *(events.task(0), events.completed(shared), events.job_end(0, 2)),
        *(events.job_start(1, 3, [events.stage(0), events.stage(1, parents=[0])]), events.submitted(own)),
        *(events.task(1), events.completed(own), events.job_end(1, 4)),
    ]
    assert jobs(log)[1].stages[0].start_s is None
    assert jobs(log)[1].stages[1].runtime_s == 1.0


def test_it_needs_nothing_but_pythons_own_library() -> None:
    tree = ast.parse(Path(spark_listener.__file__).read_text())
    names = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    names |= {str(node.module).partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
