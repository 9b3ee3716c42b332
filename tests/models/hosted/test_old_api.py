"""The interface of the server before this one: its routes, and its shape of every answer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.models.hosted.conftest import Site
from tests.support.onnx_models import add, brightness
from tests.support.servers import Server

API = "/api/v1/models"


def enveloped(response: httpx.Response, status: int, *, told: str = "") -> Any:
    """The body, after a look at its envelope."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body["http_status"]) == {"code", "name", "description"}
    assert body["http_status"]["code"] == status
    assert body["http_status"]["name"] == HTTPStatus(status).phrase
    assert told in body["http_status"]["description"]
    return body


def ask(site: Site, method: str, path: str, body: Any = None) -> httpx.Response:
    return site.client.request(method, path, json=body)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_uploaded_version_becomes_the_default(site: Site, method: str) -> None:
    for number in (1, 2):
        file = add(site.folder / f"v{number}.onnx", number)
        made = site.client.request(
            method,
            f"{API}/iris",
            files={"path": (file.name, file.read_bytes())},
            data={"model_description": f"version {number}", "library_version": "onnx==1.17"},
        )
        body = enveloped(made, 201)
        assert (body["tag"], body["version"], body["default_version"]) == ("iris", number, number)
    answer = enveloped(ask(site, "GET", f"{API}/iris/prediction", {"values": [0, 0, 0, 0]}), 200)
    assert answer["values"] == [[2, 2, 2, 2]]


def test_models_are_listed_by_name_and_with_what_is_known_of_them(iris: Site) -> None:
    listed = enveloped(ask(iris, "GET", API), 200)
    assert (listed["model_list"], listed["tag_list"]) == (["iris-1.onnx"], ["iris"])
    body = enveloped(ask(iris, "GET", f"{API}/information"), 200)
    assert body["tag_list"] == ["iris"]
    assert body["model_list"][0]["description"] == "adds 1"
    assert set(body["tag_list_versions"]["iris"]) == {"1", "2"}


def test_information_has_all_its_old_members(iris: Site) -> None:
    body = enveloped(ask(iris, "GET", f"{API}/iris/information"), 200)
    assert (body["default_version"], body["inputs_type"], body["num_inputs"]) == (1, "float32", 4)
    assert (body["description"], body["model_type"]) == ("adds 1", "onnx")
    assert body["outputs"] == [{"name": "Y", "type": "FP32", "shape": [-1, 4]}]
    assert body["tag_list_versions"]["2"]["file"] == "iris-2.onnx"
    assert set(body["tag_list_versions"]["2"]) == {"file", "description", "time", "ml_library"}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("ref", "added"), [("iris", 1), ("iris:default", 1), ("iris:2", 2)])
def test_a_prediction_may_be_asked_by_get_and_by_post(iris: Site, method: str, ref: str, added: int) -> None:
    answer = ask(iris, method, f"{API}/{ref}/prediction", {"values": [[1, 2, 3, 4], [0, 0, 0, 0]]})
    body = enveloped(answer, 200, told="Prediction successful")
    assert body["values"] == [[1 + added, 2 + added, 3 + added, 4 + added], [added] * 4]
    assert answer.headers["x-model-version"] == str(added)


def test_an_answer_after_a_switch_is_that_of_the_new_version(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number))
    ask_it: Callable[[], Any] = lambda: ask(site, "POST", f"{API}/iris/prediction", {"values": [0, 0, 0, 0]}).json()  # noqa: E731
    assert ask_it()["values"] == [[1, 1, 1, 1]]
    enveloped(ask(site, "POST", f"{API}/iris/default", {"default": 2}), 200, told="set as default")
    assert ask_it()["values"] == [[2, 2, 2, 2]]


def test_an_image_is_taken_as_the_pixels_that_it_has(site: Site) -> None:
    import io

    from PIL import Image

    site.upload("bright", brightness(site.folder / "bright.onnx"))
    file = io.BytesIO()
    Image.new("RGB", (50, 20), (255, 0, 51)).save(file, "PNG")
    answer = site.client.request(
        "POST", f"{API}/bright/prediction", files={"path": ("dog.png", file.getvalue(), "image/png")}
    )
    assert enveloped(answer, 200)["values"][0] == pytest.approx([255, 0, 51])


def test_a_file_is_downloaded(iris: Site) -> None:
    answer = ask(iris, "GET", f"{API}/iris:2")
    assert answer.content == (iris.folder / "iris-2.onnx").read_bytes()
    assert "iris-2.onnx" in answer.headers["content-disposition"]


def test_a_deleted_default_gives_way_to_the_newest_and_the_last_takes_the_tag_along(site: Site) -> None:
    for number in (1, 2, 3):
        site.upload("iris", add(site.folder / "iris.onnx", number))
    enveloped(ask(site, "DELETE", f"{API}/iris:default"), 200, told="Version 1")
    assert enveloped(ask(site, "GET", f"{API}/iris/information"), 200)["default_version"] == 3
    enveloped(ask(site, "DELETE", f"{API}/iris:2"), 200)
    assert enveloped(ask(site, "GET", f"{API}/iris/information"), 200)["default_version"] == 3
    enveloped(ask(site, "DELETE", f"{API}/iris:3"), 200)
    assert enveloped(ask(site, "GET", API), 200)["tag_list"] == []


def test_a_tag_is_deleted_with_all_versions(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number))
    enveloped(ask(site, "DELETE", f"{API}/iris"), 200)
    enveloped(ask(site, "GET", f"{API}/iris/information"), 404)


def test_a_description_is_changed_by_json(site: Site) -> None:
    site.upload("iris", add(site.folder / "iris.onnx", 1))
    for method, path in (("POST", f"{API}/iris"), ("PUT", f"{API}/iris/information")):
        enveloped(ask(site, method, path, {"model_description": f"by {method}"}), 200)
        assert enveloped(ask(site, "GET", f"{API}/information"), 200)["model_list"][0]["description"] == f"by {method}"


WRONG: list[tuple[str, str, Any, int]] = [
    ("GET", f"{API}/nothing/information", None, 404),
    ("GET", f"{API}/nothing", None, 404),
    ("DELETE", f"{API}/nothing", None, 404),
    ("POST", f"{API}/nothing/prediction", {"values": [1]}, 404),
    ("POST", f"{API}/iris/prediction", {"values": [1]}, 422),
    ("GET", f"{API}/iris/prediction", {}, 422),
    ("GET", f"{API}/iris/prediction", None, 400),
    ("POST", f"{API}/iris/default", {"default": 9}, 404),
    ("POST", f"{API}/iris/default", {"default": "2"}, 422),
    ("POST", f"{API}/iris/default", {"default": True}, 422),
    ("POST", f"{API}/iris/default", [], 422),
    ("POST", f"{API}/Iris/default", {"default": 1}, 422),
    ("POST", f"{API}/iris", {"description": "x"}, 422),
    ("PATCH", f"{API}/iris", {}, 405),
    ("GET", "/api/v1/nothing", None, 404),
    ("GET", "/api", None, 404),
    ("POST", "/help", {}, 405),
    ("GET", "/api/test/sendtomodelhost", {"data": "ONE"}, 422),
    ("GET", "/api/test/sendtomodelhost/", None, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRONG)
def test_errors_have_the_envelope_too_with_the_status_of_the_answer(
    iris: Site, method: str, path: str, body: Any, status: int
) -> None:
    enveloped(ask(iris, method, path, body), status)
    assert enveloped(ask(iris, "GET", f"{API}/iris/information"), 200)["default_version"] == 1


def test_a_file_that_is_no_model_is_refused_in_the_envelope(iris: Site) -> None:
    answer = iris.client.post(f"{API}/iris", files={"path": ("broken.onnx", b"x" * 100)})
    enveloped(answer, 422)
    enveloped(iris.client.post(f"{API}/iris", files={"file2": b"x"}), 422, told="-F path=@file")
    enveloped(iris.client.post(f"{API}/sample", files={"path": b"x"}), 409)


def test_help_and_the_test_routes_answer(iris: Site) -> None:
    assert "/api/v1/models/{tag}/prediction" in iris.client.get("/help").text
    enveloped(ask(iris, "GET", "/api/test"), 200)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_item_is_sent_to_a_model_host_that_answers_with_its_id(iris: Site, method: str, slash: str) -> None:
    body = enveloped(ask(iris, method, f"/api/test/sendtomodelhost{slash}", {"data": ["ONE", {"two": 2}]}), 200)
    assert [answer["data"] for answer in body["answers"]] == ["ONE", {"two": 2}]
    # Itself alone.
    assert {answer["id"] for answer in body["answers"]} == set(body["hosts"])
    assert len(body["hosts"]) == 1


def test_a_real_server_takes_a_get_with_a_body(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "hosted"})
    answer = server.client.request("GET", "/api/test/sendtomodelhost/", json={"data": ["ONE", "TWO"]})
    assert [item["data"] for item in enveloped(answer, 200)["answers"]] == ["ONE", "TWO"]
