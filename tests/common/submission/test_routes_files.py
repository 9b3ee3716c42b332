"""Logs and files of tasks over HTTP."""

import hashlib
from pathlib import Path

import pytest

from common.submission.states import TaskState
from tests.common.submission.site import Site
from tests.support.plugins import make_app
from tests.support.problems import assert_invalid, assert_problem

LOG = b"".join(b"line %d\n" % number for number in range(1000))
SECRET = "hunter2-hunter2"  # noqa: S105 - a sample


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(make_app(tmp_path / "state"))


@pytest.fixture
def finished(site: Site) -> str:
    task_id = site.accepted()
    site.run(task_id, files={"task.log": LOG, "output/model.bin": bytes(range(256)), "output/a/b.txt": b"deep"})
    return task_id


def running(site: Site, log: bytes, **config: object) -> str:
    task_id = site.accepted(config)
    site.start(task_id)
    site.cluster.of(site.task(task_id).name)[0].files["task.log"] = log
    return task_id


def test_a_log_is_followed_by_polling_to_its_end(site: Site) -> None:
    task_id = running(site, LOG[:100])
    first = site.client.get(f"/tasks/{task_id}/logs")
    assert (first.content, first.headers["x-log-next"], first.headers["x-log-complete"]) == (LOG[:100], "100", "false")
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    nothing = site.client.get(f"/tasks/{task_id}/logs?offset=100")
    assert (nothing.content, nothing.headers["x-log-next"]) == (b"", "100")
    assert int(nothing.headers["retry-after"]) >= 1
    site.cluster.finish(site.task(task_id).name, TaskState.SUCCEEDED, {"task.log": LOG})
    site.look()
    assert site.client.get(f"/tasks/{task_id}/logs?offset=100").headers["x-log-complete"] == "false"
    site.work()
    rest = site.client.get(f"/tasks/{task_id}/logs?offset=100")
    assert (rest.content, rest.headers["x-log-complete"]) == (LOG[100:], "true")


def test_a_log_is_read_in_pieces(site: Site, finished: str) -> None:
    found, offset = b"", 0
    for _ in range(100):
        answer = site.client.get(f"/tasks/{finished}/logs?offset={offset}&limit=333")
        found, offset = found + answer.content, int(answer.headers["x-log-next"])
        assert len(answer.content) <= 333
        if answer.headers["x-log-complete"] == "true":
            break
    assert found == LOG


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=10-", 10, None), ("bytes=-20", -20, None), ("bytes=5-999999", 5, None)],
)
def test_a_range_of_a_log_is_answered_206(site: Site, finished: str, asked: str, start: int, end: int | None) -> None:
    answer = site.client.get(f"/tasks/{finished}/logs", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, LOG[start:end])
    first = start % len(LOG)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(LOG)}"


def test_a_range_behind_the_end_is_answered_416_with_the_size(site: Site, finished: str) -> None:
    for place, size in ((f"/tasks/{finished}/logs", len(LOG)), (f"/tasks/{finished}/files/output/model.bin", 256)):
        answer = site.client.get(place, headers={"Range": "bytes=999999-"})
        assert_problem(answer, 416)
        assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=0-9", "bytes=-", "bytes=9-3"])
def test_what_is_no_single_range_is_answered_with_all_of_it(site: Site, finished: str, asked: str) -> None:
    answer = site.client.get(f"/tasks/{finished}/files/output/model.bin", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, bytes(range(256)))


@pytest.mark.parametrize("lines", [1, 3, 1000, 5000])
def test_the_last_lines_of_a_log_are_told(site: Site, finished: str, lines: int) -> None:
    answer = site.client.get(f"/tasks/{finished}/logs?tail={lines}")
    assert answer.content == b"".join(LOG.splitlines(keepends=True)[-lines:])
    assert (answer.headers["x-log-next"], answer.headers["x-log-complete"]) == (str(len(LOG)), "true")


def test_the_last_lines_of_a_log_that_has_not_ended_its_last_line(site: Site) -> None:
    task_id = running(site, b"one\ntwo\nthr")
    assert site.client.get(f"/tasks/{task_id}/logs?tail=2").content == b"two\nthr"


def test_before_it_runs_a_task_has_an_empty_log_that_is_not_complete(site: Site) -> None:
    answer = site.client.get(f"/tasks/{site.accepted()}/logs")
    assert (answer.status_code, answer.content, answer.headers["x-log-complete"]) == (200, b"", "false")


def test_a_task_that_never_ran_has_an_empty_log_that_is_complete(site: Site) -> None:
    task_id = site.accepted()
    site.client.request("DELETE", f"/tasks/{task_id}")
    answer = site.client.get(f"/tasks/{task_id}/logs")
    assert (answer.content, answer.headers["x-log-complete"]) == (b"", "true")


def test_elements_of_an_array_have_logs_of_their_own(site: Site) -> None:
    task_id = site.accepted({"array": "0-1"})
    site.run(task_id, files={"task-0.log": b"zero", "task-1.log": b"one"})
    assert site.client.get(f"/tasks/{task_id}/logs?element=1").content == b"one"
    assert_invalid(site.client.get(f"/tasks/{task_id}/logs"), "query.element", told="array")


def test_a_task_that_is_no_array_has_no_elements(site: Site, finished: str) -> None:
    assert_invalid(site.client.get(f"/tasks/{finished}/logs?element=1"), "query.element", told="no array")


def test_files_are_listed_once_they_are_here(site: Site) -> None:
    task_id = running(site, LOG)
    before = site.client.get(f"/tasks/{task_id}/files").json()
    assert (before["state"], before["complete"], before["files"]) == ("none", False, [])
    assert_problem(site.client.get(f"/tasks/{task_id}/files/output/x"), 404, told="not here yet")
    site.cluster.finish(site.task(task_id).name, files={"output/x": b"1"})
    site.look()
    assert site.client.get(f"/tasks/{task_id}/files").json()["state"] == "collecting"
    site.work()
    after = site.client.get(f"/tasks/{task_id}/files").json()
    assert (after["state"], after["complete"]) == ("complete", True)
    assert [(item["path"], item["size_bytes"]) for item in after["files"]] == [("output/x", 1), ("task.log", len(LOG))]
    assert site.client.get(after["files"][0]["link"]).content == b"1"


def test_a_file_is_downloaded_whole_in_part_and_not_again(site: Site, finished: str) -> None:
    place = f"/tasks/{finished}/files/output/model.bin"
    whole = site.client.get(place)
    assert (whole.content, whole.headers["content-length"]) == (bytes(range(256)), "256")
    assert whole.headers["content-disposition"] == 'attachment; filename="model.bin"'
    assert whole.headers["x-content-type-options"] == "nosniff"
    etag = whole.headers["etag"]
    assert site.client.get(place, headers={"If-None-Match": etag}).status_code == 304
    part = site.client.get(place, headers={"Range": "bytes=250-", "If-Range": etag})
    assert (part.status_code, part.content) == (206, bytes(range(250, 256)))
    other = site.client.get(place, headers={"Range": "bytes=250-", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, 256)
    assert site.client.get(f"/tasks/{finished}/files/output/a/b.txt").content == b"deep"


@pytest.mark.parametrize("path", ["output/none", "output", "../../x"])
def test_a_file_that_was_not_left_is_answered_404(site: Site, finished: str, path: str) -> None:
    assert site.client.get(f"/tasks/{finished}/files/{path}").status_code == 404


@pytest.mark.parametrize("path", ["output/%2e%2e/%2e%2e/%2e%2e/x", "%2fetc/passwd", "output//x", "a%00b", "a%7fb"])
def test_a_path_that_leads_elsewhere_is_refused(site: Site, finished: str, path: str) -> None:
    answer = site.client.get(f"/tasks/{finished}/files/{path}")
    assert_problem(answer, 422)


def test_an_earlier_attempt_keeps_its_log_and_files(site: Site, finished: str) -> None:
    site.client.post(f"/tasks/{finished}/retry")
    site.run(finished, TaskState.FAILED, files={"task.log": b"second\n"})
    assert site.client.get(f"/tasks/{finished}/logs").content == b"second\n"
    assert site.client.get(f"/tasks/{finished}/logs?attempt=1").content == LOG
    listed = site.client.get(f"/tasks/{finished}/files?attempt=1").json()
    assert [item["path"] for item in listed["files"]] == ["output/a/b.txt", "output/model.bin", "task.log"]
    assert_problem(site.client.get(f"/tasks/{finished}/logs?attempt=3"), 404, told="no attempt 3")


def test_a_cluster_that_is_down_is_told_when_its_log_is_asked_for(site: Site) -> None:
    task_id = running(site, LOG)
    site.cluster.is_down = True
    assert_problem(site.client.get(f"/tasks/{task_id}/logs"), 424)


# Secrets.


def test_secrets_are_hidden_in_every_view(site: Site) -> None:
    config = {
        "model_params": {"password": SECRET, "depth": 3},
        "environment": {"API_TOKEN": SECRET + "-b"},
        "command": f"python train.py --api-key={SECRET}-c",
        "labels": {"secret": SECRET + "-d"},
    }
    bodies = [site.post(config).text, site.post(config, path="/tasks/preview").text]
    task_id = site.accepted(config)
    log = f"login with {SECRET} and {SECRET}-b\n".encode()
    site.start(task_id)
    site.cluster.of(site.task(task_id).name)[0].files["task.log"] = log
    bodies.append(site.client.get(f"/tasks/{task_id}/logs").text)
    site.run(task_id, TaskState.FAILED, files={"task.log": log}, reason=f"cannot use {SECRET}")
    paths = ("", "/logs", "/logs?tail=1", "/files", "/files/task.log")
    bodies += [site.client.get(f"/tasks/{task_id}{path}").text for path in paths]
    bodies.append(site.client.get("/tasks").text)
    site.client.post(f"/tasks/{task_id}/retry")
    bodies.append(site.client.get(f"/tasks/{task_id}").text)
    bodies.append(site.post(config | {"partition": "none"}).text)
    bodies.append(site.post(config | {"cpus": 0}).text)
    assert [body for body in bodies if SECRET in body] == []
    assert all("depth" in body for body in bodies if '"config":' in body)


@pytest.mark.parametrize("limit", [1, 7, 16, 100])
def test_a_secret_across_two_pieces_of_a_log_is_hidden(site: Site, limit: int) -> None:
    log = f"a {SECRET} b {SECRET}{SECRET}\n".encode()
    task_id = running(site, log, model_params={"password": SECRET})
    found, offset = b"", 0
    while len(found) < len(log):
        answer = site.client.get(f"/tasks/{task_id}/logs?offset={offset}&limit={limit}")
        found, offset = found + answer.content, int(answer.headers["x-log-next"])
    assert found == log.replace(SECRET.encode(), b"*" * len(SECRET))


def test_half_a_secret_at_the_end_of_a_log_is_held_back_until_the_rest_is_there(site: Site) -> None:
    task_id = running(site, b"see " + SECRET[:9].encode(), model_params={"password": SECRET})
    answer = site.client.get(f"/tasks/{task_id}/logs")
    assert (answer.content, answer.headers["x-log-next"]) == (b"see ", "4")
    site.cluster.of(site.task(task_id).name)[0].files["task.log"] = f"see {SECRET}\n".encode()
    assert site.client.get(f"/tasks/{task_id}/logs?offset=4").content == b"*" * len(SECRET) + b"\n"


# Inputs.


def test_an_input_in_parts_reaches_the_task(site: Site) -> None:
    content = bytes(range(256)) * 10
    digest = hashlib.sha256(content).hexdigest()
    body = {"filename": "data.bin", "size_bytes": len(content), "sha256": digest}
    begun = site.client.post("/tasks/uploads", json=body).json()
    place = f"/tasks/uploads/{begun['id']}"
    assert_problem(site.post({"inputs": [{"path": "x", "upload": begun["id"]}]}), 409, told="send parts 1")
    assert site.client.request("PUT", f"{place}/parts/1", content=content).json()["received"] == [1]
    assert site.client.post(place).json()["complete"] is True
    task_id = site.accepted({"inputs": [{"path": "in/data.bin", "upload": begun["id"], "sha256": digest}]})
    site.work()
    assert site.cluster.folders[site.task(task_id).name]["inputs/in/data.bin"] == content
    assert site.client.request("DELETE", place).status_code == 204
    assert_problem(site.client.get(place), 404)


def test_an_input_that_is_not_what_was_announced_is_refused(site: Site) -> None:
    body = {"filename": "data.bin", "size_bytes": 4, "sha256": "0" * 64}
    place = f"/tasks/uploads/{site.client.post('/tasks/uploads', json=body).json()['id']}"
    assert_problem(site.client.request("PUT", f"{place}/parts/1", content=b"12345"), 422, told="5 bytes, not 4")
    assert_problem(site.client.request("PUT", f"{place}/parts/1", content=b"123"), 422, told="3 bytes, not 4")
    site.client.request("PUT", f"{place}/parts/1", content=b"1234")
    assert_problem(site.client.post(place), 422, told="as announced")
    assert_problem(site.client.post("/tasks/uploads", json=body | {"size_bytes": 10**13}), 413)


def test_a_file_of_a_data_set_is_an_input_by_reference(site: Site) -> None:
    site.system.blobs.share.write("datasets/wine/red.csv", [b"a,b\n"])
    task_id = site.accepted({"inputs": [{"dataset": "wine/red.csv"}]})
    site.work()
    assert site.cluster.folders[site.task(task_id).name]["inputs/red.csv"] == b"a,b\n"
    assert_invalid(site.post({"inputs": [{"dataset": "wine/white.csv"}]}), "config.inputs.dataset", told="no such file")
    assert_problem(site.post({"inputs": [{"path": "x", "dataset": "../blobs/x"}]}), 422)
