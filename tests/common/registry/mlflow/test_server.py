"""A tracking server: a real one, and what happens where it is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.errors import AtollError, DependencyFailed, Invalid, NotFound
from common.registry.mlflow import directory
from common.registry.mlflow.server import TrackingServer
from common.registry.service import Registry
from tests.common.registry.mlflow.conftest import Mlflow
from tests.common.registry.mlflow.test_directory import SIGNATURE, own, published, theirs, written
from tests.support.servers import free_port

# The first one may have to install MLflow.
pytestmark = pytest.mark.timeout(900)

__all__ = ["own", "theirs"]


def test_a_version_is_registered_there_and_opened_by_mlflow(
    own: Registry, theirs: Path, mlflow: Mlflow, tracking_server: str, tmp_path: Path
) -> None:
    found = directory.read(theirs / "onnx")
    for rmse in (0.5, 0.25):
        version = published(
            own,
            dict(found.artefacts),
            library="onnxruntime",
            signature=SIGNATURE,
            metrics={"rmse": rmse, "folds": {"mean": 1.0}, "note": "text"},
            description="from Atoll",
            tags={"team": "blue"},
        )
        folder = written(own, version, tmp_path / f"out-{version.number}")
        with TrackingServer(tracking_server) as server:
            assert server.register("from-atoll", version, folder, ["default"]) == str(version.number)
    opened = mlflow("open", "models:/from-atoll@default", MLFLOW_TRACKING_URI=tracking_server)
    assert json.loads(opened) == {"label": [1]}
    with TrackingServer(tracking_server) as server:
        told = server.fetch("models:/from-atoll@default", tmp_path / "back")
    assert (told["version"], told["description"]) == ("2", "from Atoll")
    assert told["metrics"] == {"rmse": 0.25, "folds.mean": 1.0}
    assert directory.read(tmp_path / "back").about["number"] == 2


def test_a_model_that_was_logged_there_is_fetched(mlflow: Mlflow, tracking_server: str, tmp_path: Path) -> None:
    mlflow("log", tracking_server, "logged")
    with TrackingServer(tracking_server) as server:
        told = server.fetch("models:/logged@best", tmp_path / "model")
    assert (told["description"], told["metrics"]) == ("logged at home", {"accuracy": 0.75})
    found = directory.read(tmp_path / "model")
    assert (found.main, found.library) == ("model.onnx", "onnx")


@pytest.mark.parametrize("reference", ["models:/no-such/1", "models:/no-such@best", "models:/logged/99"])
def test_what_is_not_there_is_told(tracking_server: str, tmp_path: Path, reference: str) -> None:
    with TrackingServer(tracking_server) as server, pytest.raises(NotFound, match="the tracking server answers 404"):
        server.fetch(reference, tmp_path / "model")


@pytest.mark.parametrize("reference", ["iris", "models:/iris", "models:/iris/latest", "runs:/1/model", "models:/@a"])
def test_a_reference_that_names_no_version_is_refused(tmp_path: Path, reference: str) -> None:
    with TrackingServer("http://127.0.0.1:9") as server, pytest.raises(Invalid, match=r"give models:/name/3"):
        server.fetch(reference, tmp_path)


def test_a_server_that_is_away_is_told_by_its_address(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with TrackingServer(url) as server, pytest.raises(DependencyFailed, match=f"no answer from the .* server {url}"):
        server.fetch("models:/iris/1", tmp_path)


def answering(**answers: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Answers by the last part of a path: JSON, or bytes."""

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2].replace("-", "_").replace(".", "_")
        found = answers[name]
        if isinstance(found, httpx.Response):
            return found
        return httpx.Response(200, json=found)

    return answer


def fetch(folder: Path, **answers: Any) -> None:
    version: Any = {"model_versions": None, "get": {"model_version": {"version": "1"}}}
    place = {"get_download_uri": {"artifact_uri": "mlflow-artifacts:/1/model"}}
    transport = httpx.MockTransport(answering(**{**version, **place, **answers}))
    with TrackingServer("http://mlflow.test", transport=transport) as server:
        server.fetch("models:/iris/1", folder)


@pytest.mark.parametrize(
    ("answers", "error", "why"),
    [
        ({"get": httpx.Response(200, text="<html>")}, DependencyFailed, "is it an MLflow tracking server"),
        ({"get": httpx.Response(500, text="oops")}, DependencyFailed, "answers 500: oops"),
        ({"get": httpx.Response(401, text="who?")}, Invalid, "answers 401"),
        ({"get_download_uri": {"artifact_uri": "s3://bucket/1"}}, Invalid, "start it with --serve-artifacts"),
        ({"artifacts": {"files": [{"path": "..", "is_dir": False}]}}, Invalid, "no plain name"),
        ({"artifacts": {"files": [{"path": "a\\b", "is_dir": False}]}}, Invalid, "no plain name"),
    ],
)
def test_a_server_that_answers_otherwise_is_refused_and_nothing_is_written_elsewhere(
    tmp_path: Path, answers: dict[str, Any], error: type[AtollError], why: str
) -> None:
    with pytest.raises(error, match=why):
        fetch(tmp_path / "model", **answers)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_model_of_too_many_files_is_refused(tmp_path: Path) -> None:
    files = [{"path": f"f{number}", "is_dir": False} for number in range(1001)]
    contents = {f"f{number}": httpx.Response(200, content=b"x") for number in range(1001)}
    with pytest.raises(Invalid, match="more than 1000 files"):
        fetch(tmp_path / "model", artifacts={"files": files}, **contents)
