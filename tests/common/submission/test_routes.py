"""`/tasks`: what is accepted, refused, shown and changed."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from common.settings import PluginSettings, ServingSettings, Settings, StorageSettings, SubmissionSettings
from common.submission.states import TaskState
from tests.common.submission.site import SCRIPT, Site
from tests.common.submission.test_task_config import SAMPLE
from tests.support.clients import Client
from tests.support.keys import bearer, closed_app, make_key
from tests.support.plugins import make_app
from tests.support.problems import assert_invalid, assert_problem

UPLOAD = "0" * 27


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(make_app(tmp_path / "state"))


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_a_task_is_accepted_with_its_place(site: Site) -> None:
    response = site.post({"name": "wine"})
    assert response.status_code == 202
    body = response.json()
    assert body == {
        "id": body["id"],
        "name": "wine",
        "cluster": "local",
        "state": "received",
        "status": "received",
        "links": {
            "self": f"/tasks/{body['id']}",
            "logs": f"/tasks/{body['id']}/logs",
            "files": f"/tasks/{body['id']}/files",
        },
    }
    assert response.headers["location"] == f"/tasks/{body['id']}"


def test_a_task_goes_its_way_and_is_shown_at_each_step(site: Site) -> None:
    task_id = site.accepted({"model_params": {"depth": 3}})
    assert site.get(task_id)["state"] == "received"
    site.work()
    shown = site.get(task_id)
    assert (shown["state"], shown["cluster_job_id"]) == ("pending", "1")
    site.run(task_id, files={"output/metrics.json": b'{"accuracy": 0.9}', "task.log": b"done\n"})
    shown = site.get(task_id)
    assert (shown["state"], shown["status"], shown["exit_code"]) == ("succeeded", "succeeded", 0)
    assert shown["metrics"] == {"accuracy": 0.9}
    assert shown["nodes"] == ["node1"]
    assert shown["files"] == "complete"
    assert shown["config"]["parameters"] == {"depth": 3}
    assert all(shown[name] for name in ("created", "submitted", "started", "finished"))


def test_what_the_program_gets_is_what_was_sent(site: Site) -> None:
    task_id = site.accepted({"model_params": {"depth": 3}}, inputs={"data.csv": b"a,b\n"})
    site.work()
    files = site.cluster.folders[site.task(task_id).name]
    assert files["program/train.py"] == SCRIPT
    assert files["inputs/data.csv"] == b"a,b\n"
    assert json.loads(files["params.json"]) == {"depth": 3}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("field", ["files", "file", "anything"])
def test_the_parts_come_in_any_order_and_under_any_names(site: Site, field: str, turned: bool) -> None:
    parts = [(field, ("config.json", b"{}")), (field, ("train.py", SCRIPT))]
    response = site.client.post("/tasks", files=parts[::-1] if turned else parts)
    assert response.status_code == 202, response.text


def test_a_script_that_begins_with_the_letters_of_a_zip_is_a_script(site: Site) -> None:
    response = site.client.post("/tasks", files=[("files", ("a.json", b"{}")), ("files", ("t.py", b"PKG = 1\n"))])
    assert response.status_code == 202


def test_the_config_may_be_a_plain_field(site: Site) -> None:
    parts = [("config", (None, b"{}")), ("program", ("train.py", SCRIPT))]
    assert site.client.post("/tasks", files=parts).status_code == 202


def test_the_old_sample_is_refused_by_an_unknown_cluster_that_names_those_there_are(site: Site) -> None:
    assert_invalid(site.post(SAMPLE), "config.runner_location", told="local")


def test_the_old_sample_runs_on_a_cluster_that_there_is(site: Site) -> None:
    share = site.system.blobs.share
    share.write("datasets/wine_classification.csv", [b"a,b\n1,2\n"])
    config = SAMPLE | {"runner_location": "local", "clusters": {"local": SAMPLE["clusters"]["atena02"]}}  # type: ignore[index]
    task_id = site.accepted(config)
    assert site.get(task_id)["config"]["partition"] == "cpu"


def test_a_data_set_that_is_not_on_the_share_is_refused(site: Site) -> None:
    assert_invalid(site.post({"dataset_name": "wine"}), "config.dataset_name", told="datasets/wine.csv")


def test_a_partition_that_the_cluster_has_not_is_refused_with_those_it_has(site: Site) -> None:
    assert_invalid(site.post({"partition": "gpu"}), "config.partition", told="cpu")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([("files", ("a.json", b"{}")), ("files", ("b.json", b"{}")), ("files", ("t.py", SCRIPT))], "two configs"),
        ([("files", ("t.py", SCRIPT))], "no config"),
        ([("files", ("a.json", b"{}"))], "no program"),
        ([("files", ("a.json", b"{}")), ("files", ("t.py", SCRIPT)), ("files", ("u.sh", b"ls"))], "two programs"),
        ([("files", ("a.json", b"{}")), ("files", ("t.exe", SCRIPT))], "neither a config nor a program"),
        ([("files", ("a.json", b"{}")), ("files", ("t.py", b""))], "empty"),
        ([("files", ("a.json", b"{}")), ("files", ("t.zip", b"no archive"))], "not of the kind"),
        ([("files", ("a.json", b"{}")), ("files", ("t.py", b"PK\x03\x04"))], "not of the kind"),
        ([("files", ("a.json", b"[]")), ("files", ("t.py", SCRIPT))], "no JSON object"),
        ([("colour", (None, b"red")), ("files", ("t.py", SCRIPT))], "no field of this form"),
        (
            [
                ("files", ("a.json", b"{}")),
                ("files", ("t.py", SCRIPT)),
                ("inputs", ("x", b"1")),
                ("inputs", ("x", b"2")),
            ],
            "same name",
        ),
    ],
)
def test_forms_that_are_not_one_config_and_one_program_are_refused(site: Site, parts: Any, told: str) -> None:
    assert_problem(site.client.post("/tasks", files=parts), 422, told=told)
    assert site.client.get("/tasks").json()["tasks"] == []


@pytest.mark.parametrize(
    "name",
    [
        "a/b.py",
        "..\\b.py",
        "../b.py",
        "/etc/b.py",
        "a%0Ab.py",
        "a\x01b.py",
        ".b.py",
        "-b.py",
        " b.py",
        "x" * 300 + ".py",
    ],
)
@pytest.mark.parametrize("field", ["files", "inputs"])
def test_file_names_with_separators_or_control_characters_are_refused(site: Site, name: str, field: str) -> None:
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'.encode()
    rest = b'--X\r\nContent-Disposition: form-data; name="files"; filename="c.json"\r\n\r\n{}\r\n'
    rest += b'--X\r\nContent-Disposition: form-data; name="files"; filename="ok.py"\r\n\r\n1\r\n' * (field == "inputs")
    body = rest + b"--X\r\n" + head + b"\r\n\r\n1\r\n--X--\r\n"
    response = site.client.post("/tasks", content=body, headers={"Content-Type": "multipart/form-data; boundary=X"})
    assert_problem(response, 422, told="file name")


def test_a_body_that_is_no_form_is_answered_415(site: Site) -> None:
    assert_problem(site.client.post("/tasks", json={}), 415, told="multipart/form-data")


def test_a_config_that_is_no_json_is_answered_400(site: Site) -> None:
    assert_problem(site.post(b"{"), 400, told="no JSON")


def test_a_form_that_ends_too_soon_is_refused(site: Site) -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="files"; filename="c.json"\r\n\r\n{}'
    response = site.client.post("/tasks", content=body, headers={"Content-Type": "multipart/form-data; boundary=X"})
    assert_problem(response, 400, told="ends before")


def test_a_config_of_10_mb_is_refused(site: Site) -> None:
    config = json.dumps({"name": "x" * 10_000_000}).encode()
    assert_problem(site.post(config), 413, told="MAX_TASK_CONFIG_BYTES")


def test_a_program_of_100_mb_is_refused_while_it_comes(site: Site) -> None:
    assert_problem(site.post({}, program=b"#" * 100_000_000), 413, told="MAX_PROGRAM_BYTES")
    left = list((site.app.state.runtime.settings.storage.cache_dir / "uploads").glob("*"))
    assert left == []


def test_of_a_program_that_is_too_large_no_more_is_read_than_may_be(site: Site) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--X\r\nContent-Disposition: form-data; name="files"; filename="big.py"\r\n\r\n'
        for _ in range(100):
            sent += 1_000_000
            yield b"#" * 1_000_000

    headers = {"Content-Type": "multipart/form-data; boundary=X"}
    assert_problem(site.client.post("/tasks", content=body(), headers=headers), 413, told="MAX_PROGRAM_BYTES")
    assert sent <= 55_000_000


def test_a_form_larger_than_all_of_it_may_be_is_refused_unread(tmp_path: Path) -> None:
    settings = Settings(
        plugins=PluginSettings(service_model=("sample",)),
        storage=StorageSettings(state_dir=tmp_path),
        serving=ServingSettings(threads=1),
        submission=SubmissionSettings(max_input_bytes=2000, max_program_bytes=2000, max_config_bytes=2000),
    )
    from common.app import create_app

    site = Site(create_app(settings))
    assert_problem(site.post({}, inputs={"x": b"1" * 3000}), 413, told="MAX_TASK_INPUT_BYTES")
    assert_problem(site.post({}, inputs={"x": b"1" * 1500, "y": b"1" * 1500}), 413, told="MAX_TASK_INPUT_BYTES")
    headers = {"Content-Type": "multipart/form-data; boundary=X", "Content-Length": "99999999"}
    assert_problem(site.client.post("/tasks", content=b"", headers=headers), 413, told="the form is larger")


def test_an_archive_is_a_program_and_its_entry_point_a_member(site: Site) -> None:
    program = zipped({"job/train.py": SCRIPT, "job/lib.py": b"x = 1"})
    task_id = site.accepted({"script_path": "train.py"}, program=program, filename="job.zip")
    assert site.get(task_id)["config"]["entry_point"] == "job/train.py"
    site.work()
    files = site.cluster.folders[site.task(task_id).name]
    assert files["program/job/lib.py"] == b"x = 1"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"train.py": b"\0" * 50_000_000}, "times as large"),
        ({"../train.py": SCRIPT}, "leads out"),
        ({"/etc/train.py": SCRIPT}, "leads out"),
        ({"a\nb.py": SCRIPT}, "control character"),
        ({"data.csv": b"1"}, "no .py or .sh"),
    ],
)
def test_archives_that_cannot_be_are_refused_at_once(site: Site, files: dict[str, bytes], told: str) -> None:
    assert_problem(site.post({}, program=zipped(files), filename="job.zip"), 422, told=told)


def test_a_link_in_an_archive_is_refused(site: Site) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("train.py", SCRIPT)
        link = zipfile.ZipInfo("data")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert_problem(site.post({}, program=made.getvalue(), filename="job.zip"), 422, told="is a link")


def test_digests_are_compared(site: Site) -> None:
    parts = [("c", ("c.json", b"{}")), ("p", ("train.py", SCRIPT)), ("sha256.train.py", (None, b"0" * 64))]
    assert_problem(site.client.post("/tasks", files=parts), 422, told="SHA-256 of train.py")
    parts = [("c", ("c.json", b"{}")), ("p", ("train.py", SCRIPT, "text/x-python", {"X-Checksum-Sha256": "0" * 64}))]  # type: ignore[list-item]
    assert_problem(site.client.post("/tasks", files=parts), 422, told="SHA-256 of train.py")


def test_the_same_key_is_the_same_task_and_another_one_is_refused(site: Site) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, again = site.post({}, headers=headers), site.post({}, headers=headers)
    assert first.json()["id"] == again.json()["id"]
    assert_invalid(site.post({"cpus": 2}, headers=headers), "header.Idempotency-Key", told="another task")
    assert_invalid(site.post({}, headers={"Idempotency-Key": "x" * 257}), "header.Idempotency-Key")


def test_a_preview_shows_the_script_and_submits_nothing(site: Site) -> None:
    response = site.post({"name": "wine"}, path="/tasks/preview")
    assert response.status_code == 200, response.text
    assert response.json()["script"].startswith("#!/bin/sh\n# wine-")
    text = site.post({"name": "wine"}, path="/tasks/preview", headers={"Accept": "text/plain"})
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text.startswith("#!/bin/sh\n")
    assert site.client.get("/tasks").json()["tasks"] == []


def test_what_cannot_be_submitted_cannot_be_previewed(site: Site) -> None:
    assert_invalid(site.post({"partition": "gpu"}, path="/tasks/preview"), "config.partition")


def test_tasks_are_listed_newest_first_by_page_and_filter(site: Site) -> None:
    ids = [site.accepted({"name": f"t{number}"}) for number in range(3)]
    site.run(ids[0])
    page = site.client.get("/tasks?limit=2").json()
    assert [task["id"] for task in page["tasks"]] == ids[:0:-1]
    rest = site.client.get(f"/tasks?limit=2&cursor={page['next']}").json()
    assert ([task["id"] for task in rest["tasks"]], rest["next"]) == ([ids[0]], None)
    found = site.client.get("/tasks?state=succeeded&state=failed").json()["tasks"]
    assert [task["id"] for task in found] == [ids[0]]
    assert site.client.get("/tasks?cluster=elsewhere").json()["tasks"] == []
    assert_problem(site.client.get("/tasks?state=done"), 422)


def test_an_unchanged_list_of_tasks_is_answered_304_and_each_step_of_a_task_changes_it(site: Site) -> None:
    task_id = site.accepted()
    tags: list[str] = []
    steps: list[Callable[[], object]] = [lambda: None, site.work, lambda: site.run(task_id)]
    for step in steps:
        step()
        answer = site.client.get("/tasks")
        tags.append(answer.headers["etag"])
        assert site.client.get("/tasks", headers={"If-None-Match": tags[-1]}).status_code == 304
        assert answer.json()["tasks"][0]["state"] == site.get(task_id)["state"]
    assert len(set(tags)) == 3
    site.client.post(f"/tasks/{task_id}/retry")
    again = site.client.get("/tasks", headers={"If-None-Match": tags[-1]})
    assert (again.status_code, again.json()["tasks"][0]["attempt"]) == (200, 2)


def test_an_unchanged_task_is_answered_304(site: Site) -> None:
    task_id = site.accepted()
    etag = site.client.get(f"/tasks/{task_id}").headers["etag"]
    assert site.client.get(f"/tasks/{task_id}", headers={"If-None-Match": etag}).status_code == 304
    site.work()
    again = site.client.get(f"/tasks/{task_id}", headers={"If-None-Match": etag})
    assert (again.status_code, again.json()["state"]) == (200, "pending")


def test_an_unknown_task_is_answered_404(site: Site) -> None:
    for path in ("", "/logs", "/files", "/files/output/x"):
        assert_problem(site.client.get(f"/tasks/{UPLOAD}{path}"), 404)
    assert_problem(site.client.request("DELETE", f"/tasks/{UPLOAD}"), 404)


def test_a_task_is_cancelled_and_begun_anew(site: Site) -> None:
    task_id = site.accepted()
    assert site.client.request("DELETE", f"/tasks/{task_id}").json()["state"] == "cancelled"
    assert_problem(site.client.request("DELETE", f"/tasks/{task_id}"), 409)
    assert site.get(task_id)["files"] == "missing"
    again = site.client.post(f"/tasks/{task_id}/retry").json()
    assert (again["state"], again["attempt"]) == ("received", 2)
    assert_problem(site.client.post(f"/tasks/{task_id}/retry"), 409)
    site.run(task_id)
    shown = site.get(task_id)
    assert (shown["state"], [attempt["state"] for attempt in shown["earlier"]]) == ("succeeded", ["cancelled"])


def test_a_running_task_is_cancelled_on_its_cluster(site: Site) -> None:
    task_id = site.accepted()
    site.start(task_id)
    assert site.client.request("DELETE", f"/tasks/{task_id}").json()["state"] == "running"
    site.work()
    site.look()
    assert site.get(task_id)["state"] == "cancelled"


def test_dependencies_have_to_be_there(site: Site) -> None:
    first = site.accepted()
    assert_invalid(site.post({"dependencies": [UPLOAD]}), "config.dependencies", told=UPLOAD)
    later = site.accepted({"dependencies": [first]})
    site.work()
    assert "waits for" in site.get(later)["reason"]


def test_an_array_is_shown_by_its_elements(site: Site) -> None:
    from common.submission.records import Element

    task_id = site.accepted({"array": "0-1"})
    site.start(task_id)
    elements = (Element(0, TaskState.SUCCEEDED, 0), Element(1, TaskState.FAILED, 3, "ExitCode"))
    site.cluster.see(site.task(task_id).name, elements=elements)
    site.look()
    shown = site.get(task_id)["elements"]
    assert [(item["index"], item["state"], item["exit_code"]) for item in shown] == [
        (0, "succeeded", 0),
        (1, "failed", 3),
    ]


def test_clusters_are_listed_and_an_unknown_one_is_answered_404(site: Site) -> None:
    site.accepted()
    site.work()
    [found] = site.client.get("/clusters").json()["clusters"]
    assert (found["name"], found["state"], found["pending"]) == ("local", "up", 1)
    assert [part["name"] for part in found["partitions"]] == ["cpu"]
    assert site.client.get("/clusters/local").json() == found
    assert_problem(site.client.get("/clusters/atena02"), 404, told="local")


def test_a_cluster_that_is_down_is_told_so(site: Site) -> None:
    site.cluster.is_down = True
    assert site.client.get("/clusters/local").json()["state"] == "down"


# The old routes.


def test_the_old_route_takes_what_the_new_one_takes(site: Site) -> None:
    response = site.post({}, path="/new_task")
    assert response.status_code == 202
    assert {"id", "status", "state", "links"} <= response.json().keys()


def test_old_routes_answer_errors_in_the_old_shape(site: Site) -> None:
    refused = site.post({"colour": "red"}, path="/new_task")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/json")
    assert list(refused.json()) == ["detail"]
    assert site.client.get("/job_status/77").json() == {"detail": "there is no job '77'"}
    assert "local" in site.client.get("/job_status/77?cluster=atena02").json()["detail"]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (TaskState.SUCCEEDED, "COMPLETED"),
        (TaskState.FAILED, "FAILED"),
        (TaskState.TIMED_OUT, "TIMEOUT"),
        (TaskState.OUT_OF_MEMORY, "OUT_OF_MEMORY"),
        (TaskState.NODE_FAILED, "NODE_FAIL"),
    ],
)
def test_the_old_status_is_in_slurms_words(site: Site, state: TaskState, word: str) -> None:
    task_id = site.accepted()
    site.work()
    assert site.client.get("/job_status/1?cluster=local").json() == {"job_status": "PENDING", "run_id": None}
    site.run(task_id, state)
    assert site.client.get("/job_status/1?cluster=local").json()["job_status"] == word
    assert site.client.get(f"/job_status/{task_id}").json()["job_status"] == word


# Whose tasks are whose.


def test_others_see_nothing_of_a_task(tmp_path: Path) -> None:
    app = closed_app(tmp_path)
    site = Site(app)
    mine, other, admin = (bearer(make_key(app, scope)) for scope in ("submit", "submit", "admin"))  # type: ignore[arg-type]
    task_id = site.accepted(headers=mine)
    site.run(task_id)
    client = Client(app)
    for path in ("", "/logs", "/files", "/files/task.log"):
        assert client.get(f"/tasks/{task_id}{path}", headers=mine).status_code == 200
        assert client.get(f"/tasks/{task_id}{path}", headers=admin).status_code == 200
        assert_problem(client.get(f"/tasks/{task_id}{path}", headers=other), 404)
    assert_problem(client.request("DELETE", f"/tasks/{task_id}", headers=other), 404)
    assert_problem(client.post(f"/tasks/{task_id}/retry", headers=other), 404)
    assert client.get("/job_status/1?cluster=local", headers=other).status_code == 404
    assert client.get("/tasks", headers=other).json()["tasks"] == []
    assert [task["id"] for task in client.get("/tasks", headers=mine).json()["tasks"]] == [task_id]
    assert [task["id"] for task in client.get("/tasks", headers=admin).json()["tasks"]] == [task_id]
    assert_invalid(site.post({"dependencies": [task_id]}, headers=other), "config.dependencies")
    audited = client.get("/audit?action=task.submitted", headers=admin).json()["records"]
    assert [entry["target"] for entry in audited] == [task_id]


def test_to_submit_takes_the_scope_for_it(tmp_path: Path) -> None:
    app = closed_app(tmp_path)
    site = Site(app)
    for scope in ("predict", "train"):
        key = bearer(make_key(app, scope))  # type: ignore[arg-type]
        assert site.post({}, headers=key).status_code == 403
        assert site.post({}, path="/tasks/preview", headers=key).status_code == 403
        assert site.post({}, path="/new_task", headers=key).status_code == 403
        assert site.client.get("/clusters", headers=key).status_code == 200
