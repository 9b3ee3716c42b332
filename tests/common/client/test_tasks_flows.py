"""What the clients decide about tasks, told answers of our own."""

from collections.abc import Callable
from typing import Any

import pytest

from common.client import tasks_flows
from common.client.calls import Answer, Flow
from common.client.errors import AtollClientError, StillRunning
from common.client.flows import Flows
from common.client.tasks_view import TaskView
from tests.common.client.test_flows import Told, json

TASK = {"id": "t1", "name": "train", "cluster": "atena02", "state": "received", "files": "none"}


def view(**more: Any) -> TaskView:
    return TaskView({**TASK, **more})


def part(content: bytes, following: int, *, is_complete: bool = False) -> Answer:
    headers = {"content-type": "text/plain", "x-log-next": str(following), "x-log-complete": str(is_complete).lower()}
    return Answer(200, headers, content)


def ranged(content: bytes, start: int, total: int, etag: str = '"1"') -> Answer:
    end = start + len(content) - 1
    return Answer(206, {"content-range": f"bytes {start}-{end}/{total}", "etag": etag}, content)


def test_a_submission_bears_a_key_so_that_sending_it_again_makes_no_second_task() -> None:
    told = Told(Answer(503), json(TASK, 202, location="/tasks/t1"))
    flow = tasks_flows.submit(told.flows, {"cluster": "atena02"}, "train.py", b"pass", [("rows.csv", b"1")], None)
    assert told.run(flow) == TASK
    first, second = told.calls
    assert first == second
    assert first.headers["Idempotency-Key"]
    assert first.body is not None
    for piece in (b'filename="config.json"', b'{"cluster":"atena02"}', b'filename="train.py"', b'name="inputs"'):
        assert piece in first.body


def test_a_task_is_waited_for_until_its_files_are_there() -> None:
    told = Told(
        json(TASK | {"state": "running"}, etag='"1"'),
        json(TASK | {"state": "succeeded", "files": "collecting"}, etag='"2"'),
        json(TASK | {"state": "succeeded", "files": "complete"}, etag='"3"'),
    )
    task = view()
    told.run(told.flows.wait(task, None))
    assert task.is_settled
    assert [call.headers.get("If-None-Match") for call in told.calls] == [None, '"1"', '"2"']


def test_waiting_for_a_task_ends_in_time() -> None:
    told = Told(*(json(TASK, etag='"1"') for _ in range(20)))
    with pytest.raises(StillRunning, match="task t1 is received"):
        told.run(told.flows.wait(view(), 3))


def test_lines_are_put_together_from_parts() -> None:
    told = Told(part("one\ntw€".encode()[:-1], 9), part("€\nthr".encode()[2:], 14), part(b"ee", 16, is_complete=True))
    told.run(tasks_flows.logs(told.flows, view(), None, follow=False, tail=None))
    assert told.items == ["one", "tw€", "three"]
    assert [call.query["offset"] for call in told.calls] == [0, 9, 14]


def test_a_log_that_is_not_followed_is_read_as_far_as_it_goes() -> None:
    told = Told(part(b"one\n", 4), part(b"", 4))
    told.run(tasks_flows.logs(told.flows, view(), None, follow=False, tail=None))
    assert told.items == ["one"]


def test_a_log_is_followed_until_nothing_more_will_come() -> None:
    told = Told(part(b"", 0), part(b"one\n", 4), part(b"", 4), part(b"two", 7, is_complete=True))
    told.run(tasks_flows.logs(told.flows, view(), 3, follow=True, tail=None))
    assert told.items == ["one", "two"]
    assert {call.query["element"] for call in told.calls} == {3}
    assert len(told.slept_s) == 2


def test_the_end_of_a_log_is_asked_for_once_and_followed_from_there() -> None:
    told = Told(part(b"last\n", 105), part(b"more", 109, is_complete=True))
    told.run(tasks_flows.logs(told.flows, view(), None, follow=True, tail=1))
    assert [call.query for call in told.calls] == [{"tail": 1}, {"offset": 105, "limit": 1 << 20}]


def test_a_file_is_read_in_parts_of_the_same_version() -> None:
    told = Told(ranged(b"abc", 0, 5), ranged(b"de", 3, 5))
    told.run(tasks_flows.download(told.flows, view(), "output/a b.bin"))
    assert b"".join(told.items) == b"abcde"
    assert [call.path for call in told.calls] == ["/tasks/t1/files/output/a%20b.bin"] * 2
    assert [call.headers.get("If-Range") for call in told.calls] == [None, '"1"']
    assert told.calls[1].headers["Range"].startswith("bytes=3-")


def test_a_file_that_changed_meanwhile_is_not_put_together() -> None:
    told = Told(ranged(b"abc", 0, 5), Answer(200, {}, b"other"))
    with pytest.raises(AtollClientError, match="has changed"):
        told.run(tasks_flows.download(told.flows, view(), "output/a.bin"))


@pytest.mark.parametrize("answer", [json({"detail": "nothing there"}, 416), Answer(200, {}, b"")])
def test_an_empty_file_is_empty(answer: Answer) -> None:
    told = Told(answer)
    told.run(tasks_flows.download(told.flows, view(), "output/empty"))
    assert b"".join(told.items) == b""


@pytest.mark.parametrize(("path", "query"), [("task.log", {}), ("task-12.log", {"element": 12})])
def test_a_log_among_the_files_is_the_one_that_the_server_shows(path: str, query: dict[str, Any]) -> None:
    told = Told(part(b"one\n", 4, is_complete=True))
    told.run(tasks_flows.download(told.flows, view(), path))
    assert told.items == [b"one\n"]
    assert told.calls[0].path == "/tasks/t1/logs"
    assert query.items() <= told.calls[0].query.items()


def test_pages_of_tasks_are_read_until_the_last() -> None:
    told = Told(json({"tasks": [TASK], "next": "c"}), json({"tasks": [TASK], "next": None}))
    told.run(tasks_flows.tasks(told.flows, cluster="atena02"))
    assert len(told.items) == 2
    assert told.calls[1].query == {"cluster": "atena02", "cursor": "c"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda flows: flows.refresh(view(id="../keys")),
        lambda flows: tasks_flows.files(flows, view(id="a/../../keys")),
        lambda flows: tasks_flows.download(flows, view(), "a?b#c"),
    ],
)
def test_an_id_or_a_path_does_not_lead_elsewhere(ask: Callable[[Flows], Flow[Any]]) -> None:
    told = Told(json({"files": []}))
    told.run(ask(told.flows))
    assert told.calls[0].path.startswith("/tasks/")
    assert not {"?", "#"} & set(told.calls[0].path)
    assert "/../" not in told.calls[0].path


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"state": "succeeded", "exit_code": 0}, "succeeded"),
        ({"state": "failed", "exit_code": 3}, "failed (exit code 3)"),
        ({"state": "out-of-memory", "signal": 9, "reason": "OOMKilled"}, "out-of-memory (signal 9, OOMKilled)"),
        ({"state": "pending", "reason": "Priority"}, "pending"),
    ],
)
def test_an_end_is_told_in_a_few_words(data: dict[str, Any], told: str) -> None:
    assert view(**data).told == told
