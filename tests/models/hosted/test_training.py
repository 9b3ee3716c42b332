"""Trainings on clusters whose result becomes a version of a hosted model."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.security.scopes import Scope
from common.submission.entry_points import Program
from common.submission.receiving import Form
from common.submission.states import TaskState
from models.hosted.old_api.training import command
from tests.common.submission.site import Site
from tests.support.keys import bearer, closed_app, make_key
from tests.support.onnx_models import add
from tests.support.plugins import make_app

SCRIPT = b"print('training')\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(make_app(tmp_path / "state", serve=("hosted",)))
    yield site
    site.app.state.runtime.stop()


def parts(**more: tuple[str, bytes]) -> dict[str, tuple[str, bytes]]:
    return {"script": ("train.py", SCRIPT), **more}


def trained(site: Site, files: dict[str, bytes], path: str = "/api/v1/train/iris/forest", **more: Any) -> str:
    """The id of a training that has left these files."""
    response = site.client.post(path, files=parts(**more))
    assert response.status_code == 202, response.text
    task_id: str = response.json()["id"]
    site.run(task_id, files=files)
    return task_id


def test_what_a_script_leaves_becomes_a_version_that_answers(site: Site, tmp_path: Path) -> None:
    model = add(tmp_path / "m.onnx", 5).read_bytes()
    task_id = trained(site, {"output/model.onnx": model, "output/metrics.json": b'{"accuracy": 0.9}'})
    shown = site.get(task_id)
    assert shown["result"] == {"model": "hosted.iris", "tag": "iris", "version": 1, "ref": "iris:1"}
    version = site.client.get("/registry/hosted.iris/versions/1").json()
    assert (version["job_id"], version["metrics"]) == (f"{task_id}-1", {"accuracy": 0.9})
    answer = site.client.post("/hosted/models/iris/predict", json={"values": [[1, 2, 3, 4]]})
    assert answer.json()["values"] == [[6, 7, 8, 9]]


def test_the_answer_has_the_old_shape_and_the_tasks_place(site: Site) -> None:
    response = site.client.post("/api/v1/train/iris/forest", files=parts())
    body = response.json()
    assert body["http_status"] == {"code": 202, "name": "Accepted", "description": "The training of iris was submitted"}
    assert (body["tag"], body["name"], body["state"]) == ("iris", "forest", "received")
    assert body["links"]["self"] == response.headers["location"] == f"/tasks/{body['id']}"


def test_to_publish_again_makes_no_second_version(site: Site, tmp_path: Path) -> None:
    files = {"output/model.onnx": add(tmp_path / "m.onnx", 5).read_bytes()}
    task_id = trained(site, files)
    task = site.task(task_id)
    publish = site.system.collector._publish
    assert publish is not None
    assert publish(task, f"tasks/{task_id}/1/output/model.onnx") == task.result
    assert len(site.client.get("/registry/hosted.iris").json()["versions"]) == 1
    site.client.post(f"/tasks/{task_id}/retry")
    site.run(task_id, files=files)
    assert site.get(task_id)["result"]["version"] == 2


@pytest.mark.parametrize(
    ("files", "told"),
    [({"output/x": b"1"}, "left no model.onnx or model.skops"), ({"output/model.onnx": b"no model"}, "ONNX")],
)
def test_what_is_no_model_is_told_with_the_task(site: Site, files: dict[str, bytes], told: str) -> None:
    shown = site.get(trained(site, files))
    assert shown["state"] == "succeeded"
    assert told in shown["result"]["error"]
    assert site.client.get("/hosted/models").json() == []


def test_a_training_that_fails_publishes_nothing(site: Site, tmp_path: Path) -> None:
    task_id = site.client.post("/api/v1/train/iris/forest", files=parts()).json()["id"]
    model = add(tmp_path / "m.onnx", 5).read_bytes()
    site.run(task_id, TaskState.FAILED, files={"output/model.onnx": model})
    assert site.get(task_id)["result"] == {}
    assert site.client.get("/hosted/models").json() == []


def test_requirements_and_data_set_reach_the_script(site: Site) -> None:
    more = {"requirements": ("r.txt", b"numpy\n"), "dataset": ("wine data.csv", b"a,b\n")}
    task_id = site.client.post("/api/v1/train/iris/forest", files=parts(**more)).json()["id"]
    site.work()
    files = site.cluster.folders[site.task(task_id).name]
    assert files["inputs/r.txt"] == b"numpy\n"
    assert files["inputs/wine data.csv"] == b"a,b\n"
    shell, flag, line = site.task(task_id).spec.command or ()
    assert (shell, flag) == ("sh", "-c")
    assert '-r "$ATOLL_INPUT_DIR"/r.txt' in line
    assert "ATOLL_DATASET=\"$ATOLL_INPUT_DIR\"/'wine data.csv'" in line


def test_a_name_in_the_command_is_quoted() -> None:
    form = Form(program=Program("a';touch x;'.py"), by_field={"dataset": "$(touch y)"})
    line = command(form, "python3")
    assert shlex.split(line)[-1] == "a';touch x;'.py"
    assert "'$(touch y)'" in line


@pytest.mark.parametrize(
    ("path", "files", "status"),
    [
        ("/api/v1/train/iris/forest?cluster=atena02", {"script": ("train.py", SCRIPT)}, 422),
        ("/api/v1/train/iris/forest", {"script": ("train.sh", b"ls")}, 422),
        ("/api/v1/train/iris/forest", {"dataset": ("d.csv", b"a")}, 422),
        ("/api/v1/train/hosted/forest", {"script": ("train.py", SCRIPT)}, 409),
        ("/api/v1/train/iris/a%20b", {"script": ("train.py", SCRIPT)}, 422),
    ],
)
def test_a_training_that_cannot_be_is_refused_in_the_old_shape(
    site: Site, path: str, files: dict[str, tuple[str, bytes]], status: int
) -> None:
    response = site.client.post(path, files=files)
    assert response.status_code == status
    assert response.json()["http_status"]["code"] == status
    assert site.client.get("/tasks").json()["tasks"] == []


def test_to_train_takes_both_scopes(tmp_path: Path) -> None:
    app = closed_app(tmp_path, serve=("hosted",))
    site = Site(app)
    keys = {
        scopes: bearer(make_key(app, *scopes))
        for scopes in ((Scope.TRAIN,), (Scope.SUBMIT,), (Scope.TRAIN, Scope.SUBMIT))
    }
    found = {
        scopes: site.client.post("/api/v1/train/iris/forest", files=parts(), headers=key).status_code
        for scopes, key in keys.items()
    }
    assert found == {(Scope.TRAIN,): 403, (Scope.SUBMIT,): 403, (Scope.TRAIN, Scope.SUBMIT): 202}
    app.state.runtime.stop()
