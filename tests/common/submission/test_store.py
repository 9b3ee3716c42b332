"""The records of tasks: lists, changes that are written once, what is kept for how long."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from common.clock import FakeClock, new_id
from common.database import Database
from common.submission.errors import NoTask
from common.submission.records import Element, TaskFilter
from common.submission.rows import row_of
from common.submission.states import TaskState
from common.submission.tables import tasks
from tests.common.submission.desk import Desk
from tests.common.submission.fixtures import *  # noqa: F403

OLD = timedelta(days=3)


def test_a_task_is_read_as_it_was_written(desk: Desk) -> None:
    task = desk.submit(parameters={"a": 1, "b": 0.5, "c": True, "d": "x"}, array="0-9%2", memory_bytes=1 << 30)
    assert desk.get(task) == task
    elements = (Element(0, TaskState.FAILED, 1, "NonZeroExit"),)
    changed = desk.store.change(task, state=TaskState.RUNNING, nodes=("n1", "n2"), elements=elements)
    assert desk.get(task) == changed


def test_a_change_is_written_only_where_nobody_else_changed_it_since(desk: Desk) -> None:
    task = desk.submit()
    first = desk.store.change(task, reason="first")
    assert first is not None
    assert desk.store.change(task, reason="second") is None
    assert (desk.get(task).reason, desk.get(task).version) == ("first", task.version + 1)


def test_of_many_changes_those_that_came_too_late_are_named(desk: Desk) -> None:
    one, two = desk.submit(), desk.submit()
    desk.store.change(two, reason="meanwhile")
    changed = desk.store.change_all([(one, {"reason": "x"}), (two, {"reason": "x"})])
    assert [task and task.reason for task in changed] == ["x", None]


def test_an_unknown_task_is_said_to_be_none(desk: Desk) -> None:
    with pytest.raises(NoTask):
        desk.store.get(new_id())


def test_tasks_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    made = [desk.submit().id for _ in range(5)]
    page = desk.store.list(limit=2)
    assert [task.id for task in page.tasks] == made[:2:-1]
    rest = desk.store.list(cursor=page.cursor, limit=10)
    assert ([task.id for task in rest.tasks], rest.cursor) == (made[2::-1], None)


def test_lists_are_narrowed_by_state_cluster_owner_and_time(desk: Desk, clock: FakeClock) -> None:
    old = desk.submit()
    clock.advance(60)
    new = desk.submit()
    desk.store.change(new, state=TaskState.RUNNING)

    def ids(**wanted: Any) -> list[str]:
        return [task.id for task in desk.store.list(TaskFilter(**wanted)).tasks]

    assert ids(states=[TaskState.RECEIVED]) == [old.id]
    assert ids(states=[TaskState.RECEIVED, TaskState.RUNNING]) == [new.id, old.id]
    assert ids(cluster="fake", owner="key:me") == [new.id, old.id]
    assert ids(owner="key:other") == ids(cluster="other") == []
    assert ids(created_after=clock.now()) == [new.id]
    assert ids(created_before=clock.now()) == [old.id]


def test_a_task_is_found_by_its_clusters_own_id(desk: Desk) -> None:
    task = desk.submitted()
    found = desk.store.by_cluster_job("fake", str(task.cluster_job_id))
    assert found == task
    assert desk.store.by_cluster_job("other", str(task.cluster_job_id)) is None


def test_a_task_is_forgotten_with_its_files_after_its_days(make_desk: Callable[..., Desk], clock: FakeClock) -> None:
    desk = make_desk(task_days=2)
    task = desk.finished()
    kept = desk.running()
    clock.advance(2 * 86400 - 60)
    assert desk.system.remove_old() == 0
    clock.advance(120)
    assert desk.system.remove_old() == 1
    assert desk.files(task) == {}
    with pytest.raises(NoTask):
        desk.store.get(task.id)
    assert desk.get(kept).id == kept.id


def test_a_task_stays_while_the_share_is_away_that_has_its_files(
    make_desk: Callable[..., Desk], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.storage.share import ShareDown

    desk = make_desk(task_days=2)
    task = desk.finished()
    clock.advance(3 * 86400)

    def down(folder: str) -> list[Any]:
        raise ShareDown("away")

    monkeypatch.setattr(desk.share, "find", down)
    assert desk.system.remove_old() == 0
    assert desk.get(task).id == task.id


def test_a_program_is_no_garbage_as_long_as_its_task_is_there(
    make_desk: Callable[..., Desk], database: Database, clock: FakeClock
) -> None:
    from common.registry.garbage import Garbage
    from common.settings import RegistrySettings
    from common.submission.tables import files

    desk = make_desk(task_days=1)
    task = desk.finished()
    garbage = Garbage(database, desk.blobs, RegistrySettings(), clock=clock, also_referred=[files.c.sha256])
    garbage.collect(timedelta(0))
    clock.advance(2 * 86400)
    garbage.collect(timedelta(0))
    assert desk.blobs.exists(task.program)
    desk.system.remove_old()
    garbage.collect(timedelta(0))
    garbage.collect(timedelta(0))
    assert not desk.blobs.exists(task.program)


def test_no_question_that_is_asked_often_reads_all_of_many_tasks(desk: Desk, database: Database) -> None:
    row = row_of(desk.submit())
    rows = [
        {**row, "id": f"{number:027}", "owner": f"key:{number % 50}", "state": "succeeded", "files": "complete"}
        for number in range(20_000)
    ]
    with database.transaction() as connection:
        connection.execute(sa.insert(tasks), [{**one, "finished_at": desk.clock.now() - OLD} for one in rows])
    if not database.is_sqlite:
        with database.transaction() as connection:
            connection.execute(sa.text("ANALYZE"))
    store = desk.store
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    store.list(TaskFilter(owner="key:me"))
    store.list(TaskFilter(owner="key:me", states=[TaskState.FAILED, TaskState.LOST]))
    assert [one.task.id for one in store.followed("fake")] == [row["id"]]
    assert list(store.live_clusters()) == ["fake"]
    store.looked_back_at("fake")
    store.uncollected()
    store.live_counts()
    store.by_cluster_job("fake", "7")
    sa.event.remove(database.engine, "before_cursor_execute", note)
    questions = [(statement, parameters) for statement, parameters in asked if "FROM tasks" in statement]
    assert len(questions) == 8
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.engine.connect() as connection:
        for statement, parameters in questions:
            lines = connection.exec_driver_sql(explain + statement, parameters).all()
            plan = "\n".join(str(tuple(line)) for line in lines)
            assert "SCAN tasks" not in plan, statement + plan
            assert "Seq Scan on tasks" not in plan, statement + plan
