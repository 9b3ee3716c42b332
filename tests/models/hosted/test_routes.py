"""The new routes: upload, list, look at, describe, switch, ask, download, delete."""

import asyncio
import hashlib
import io
import shutil
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import joblib
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from common.errors import Unavailable
from common.storage import landing
from common.telemetry import metrics
from tests.models.hosted.conftest import Site
from tests.support.clients import connected, until
from tests.support.onnx_models import add, brightness, heavy
from tests.support.problems import assert_invalid, assert_problem


def test_an_upload_is_a_version_that_answers_at_once(site: Site) -> None:
    file = add(site.folder / "plus.onnx", 10)
    made = site.upload("plus-ten", file, model_description="adds ten", library_version="1.2")
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["ref"], body["version"], body["aliases"], body["format"]) == ("plus-ten:1", 1, ["default"], "onnx")
    assert body["inputs"] == [{"name": "X", "type": "FP32", "shape": [-1, 4]}]
    assert body["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    answer = site.predict("plus-ten", [1, 2, 3, 4])
    assert answer.json() == {
        "tag": "plus-ten",
        "version": 1,
        "values": [[11.0, 12.0, 13.0, 14.0]],
        "outputs": {"Y": [[11.0, 12.0, 13.0, 14.0]]},
    }
    assert answer.headers["x-model-version"] == "1"
    assert site.uploading == []


def test_the_body_may_be_the_file_itself(site: Site) -> None:
    file = add(site.folder / "plus.onnx", 10)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    path = "/hosted/models/raw?filename=somewhere/plus.onnx&model_description=raw&alias=candidate"
    made = site.client.post(path, content=file.read_bytes(), headers={"X-Checksum-Sha256": digest})
    assert made.status_code == 201, made.text
    assert made.json()["aliases"] == ["candidate", "default"]
    found = site.client.get("/hosted/models/raw").json()
    assert (found["file"], found["description"]) == ("plus.onnx", "raw")


def test_a_second_version_answers_when_it_is_asked_for_and_not_before(iris: Site) -> None:
    row = [1, 2, 3, 4]
    assert iris.predict("iris", row).json()["version"] == 1
    for ref, query in (("iris:2", {}), ("iris", {"version": "2"})):
        answer = iris.predict(ref, row, **query)
        assert (answer.json()["values"], answer.headers["x-model-version"]) == ([[3, 4, 5, 6]], "2")
    for ref, query in (("iris:default", {}), ("iris", {"alias": "default"})):
        assert iris.predict(ref, row, **query).json()["version"] == 1
    assert_invalid(iris.predict("iris:1", row, version="2"), "query.version")


def test_the_default_is_switched_and_the_next_request_knows(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number))
    assert site.predict("iris", [0, 0, 0, 0]).json()["values"] == [[1, 1, 1, 1]]
    changed = site.client.post("/hosted/models/iris/default", json={"default": 2})
    assert changed.json() == {"tag": "iris", "default": 2, "previous": 1}
    answer = site.predict("iris", [0, 0, 0, 0])
    assert (answer.json()["values"], answer.headers["x-model-version"]) == ([[2, 2, 2, 2]], "2")
    assert_problem(site.client.post("/hosted/models/iris/default", json={"default": 3}), 404, told="versions 1")


def test_shares_of_the_requests_go_where_they_should(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number), **({"alias": "candidate"} if number == 2 else {}))
    shared = site.client.app.state.runtime.registry.set_traffic(  # type: ignore[attr-defined]
        "hosted.iris", {"default": 0.5, "candidate": 0.5}
    )
    assert shared.weights == {"default": 0.5, "candidate": 0.5}
    answers = [site.predict("iris", [0, 0, 0, 0]) for _ in range(40)]
    assert {answer.json()["version"] for answer in answers} == {1, 2}
    # What answered is what is told, each time.
    assert all(answer.json()["values"][0][0] == int(answer.headers["x-model-version"]) for answer in answers)
    assert {answer.headers["x-model-alias"] for answer in answers} == {"default", "candidate"}
    assert site.client.get("/hosted/models").json()[0]["weights"] == {"default": 0.5, "candidate": 0.5}


def test_models_are_listed_with_their_versions(iris: Site) -> None:
    assert iris.client.get("/hosted/models").json() == [
        {
            "tag": "iris",
            "description": "adds 1",
            "default_version": 1,
            "aliases": {"default": 1},
            "weights": None,
            "versions": [2, 1],
        }
    ]


@pytest.mark.parametrize(("ref", "number"), [("iris", 1), ("iris:default", 1), ("iris:2", 2)])
def test_information_tells_inputs_outputs_and_where_it_comes_from(iris: Site, ref: str, number: int) -> None:
    found = iris.client.get(f"/hosted/models/{ref}/information").json()
    assert (found["version"], found["file"], found["description"]) == (number, f"iris-{number}.onnx", f"adds {number}")
    assert (found["format"], found["producer"], found["default_version"]) == ("onnx", "tests", 1)
    assert found["inputs"] == [{"name": "X", "type": "FP32", "shape": [-1, 4]}]
    assert found["outputs"] == [{"name": "Y", "type": "FP32", "shape": [-1, 4]}]
    assert [item["version"] for item in found["versions"]] == [2, 1]
    assert found == iris.client.get(f"/hosted/models/{ref}").json()


def test_information_tells_what_was_measured_and_which_versions_are_open(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number))
    site.predict("iris", [1.0, 2.0, 3.0, 4.0])
    versions = site.client.get("/hosted/models/iris:2/information").json()["versions"]
    assert [item["is_open"] for item in versions] == [False, True]
    assert all(item["memory_bytes"] > 0 and item["run_s"] > 0 for item in versions)


def test_a_description_is_changed(site: Site) -> None:
    site.upload("iris", add(site.folder / "iris.onnx", 1), model_description="first")
    changed = site.client.request("PATCH", "/hosted/models/iris", json={"description": "of the tag"})
    assert changed.json()["description"] == "of the tag"
    site.client.request("PATCH", "/hosted/models/iris:1", json={"description": "of the version"})
    assert site.client.get("/hosted/models").json()[0]["description"] == "of the tag"
    assert site.client.get("/hosted/models/iris:1").json()["description"] == "of the version"


def test_the_file_is_downloaded_as_it_was_uploaded(iris: Site) -> None:
    answer = iris.client.get("/hosted/models/iris:2/download")
    assert answer.content == (iris.folder / "iris-2.onnx").read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="iris-2.onnx"'
    assert answer.headers["etag"].strip('"') == hashlib.sha256(answer.content).hexdigest()


def test_a_version_and_then_the_tag_are_deleted(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number))
    assert_problem(site.client.request("DELETE", "/hosted/models/iris:1"), 409, told="default")
    assert site.client.request("DELETE", "/hosted/models/iris:2").status_code == 204
    assert_problem(site.predict("iris:2", [0, 0, 0, 0]), 404)
    assert site.predict("iris", [0, 0, 0, 0]).status_code == 200
    assert site.client.request("DELETE", "/hosted/models/iris").status_code == 204
    assert_problem(site.predict("iris", [0, 0, 0, 0]), 404)
    assert_problem(site.client.get("/hosted/models/iris"), 404, told="there are: none")
    assert site.client.get("/hosted/models").json() == []


def test_changes_are_in_the_audit_log(site: Site) -> None:
    site.upload("iris", add(site.folder / "iris.onnx", 1))
    site.client.request("PATCH", "/hosted/models/iris", json={"description": "new"})
    site.client.post("/hosted/models/iris/default", json={"default": 1})
    site.client.request("DELETE", "/hosted/models/iris")
    found = [(item["action"], item["target"]) for item in site.client.get("/audit").json()["records"]]
    assert found == [
        ("model.deleted", "hosted.iris"),
        ("model.described", "hosted.iris"),
        ("model.uploaded", "hosted.iris:1"),
    ]


def test_two_uploads_to_one_tag_at_once_are_two_versions_both_whole(site: Site) -> None:
    files = [add(site.folder / f"{number}.onnx", number) for number in (1, 2)]

    async def both() -> list[httpx.Response]:
        async with connected(site.client.app) as client:
            client.timeout = httpx.Timeout(120)
            tasks = [
                client.post("/hosted/models/iris", files={"path": (file.name, file.read_bytes())}) for file in files
            ]
            return list(await asyncio.gather(*tasks))

    made = [answer.json() for answer in asyncio.run(both())]
    assert sorted(item["version"] for item in made) == [1, 2]
    assert sum("default" in item["aliases"] for item in made) == 1
    for item, number in zip(made, (1, 2), strict=True):
        assert site.predict(item["ref"], [0, 0, 0, 0]).json()["values"] == [[number] * 4]


def test_an_image_is_laid_out_as_the_model_takes_it(site: Site) -> None:
    assert site.upload("bright", brightness(site.folder / "bright.onnx")).status_code == 201
    file = io.BytesIO()
    Image.new("RGB", (50, 20), (255, 0, 51)).save(file, "PNG")
    raw = site.client.post(
        "/hosted/models/bright/predict?scale=255", content=file.getvalue(), headers={"Content-Type": "image/png"}
    )
    assert raw.json()["values"][0] == pytest.approx([1.0, 0.0, 0.2])
    form = site.client.post("/hosted/models/bright/predict", files={"path": ("x.png", file.getvalue(), "image/png")})
    assert form.json()["values"][0] == pytest.approx([255.0, 0.0, 51.0])
    assert_problem(
        site.client.post("/hosted/models/bright/predict", files={"path": ("x.pdf", b"%PDF", "application/pdf")}), 415
    )
    assert_problem(site.client.post("/hosted/models/bright/predict?std=0", json={"values": [1]}), 422)


WRONG_BODIES: list[tuple[bytes, str, int]] = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"[1, 2]", "application/json", 422),
    (b'{"value": [1]}', "application/json", 422),
    (b'{"values": [1, 2, 3, 4], "more": 1}', "application/json", 422),
    (b'{"values": [1, 2, 3]}', "application/json", 422),
    (b'{"values": [[1, 2, 3, 4], [1]]}', "application/json", 422),
    (b'{"values": [NaN, 1, 2, 3]}', "application/json", 400),
    (b"a,b", "text/csv", 415),
    (b"no image", "image/png", 422),
    (b"no form", "multipart/form-data; boundary=x", 400),
    (b"no form", "multipart/form-data", 400),
]


@pytest.mark.parametrize(("body", "kind", "status"), WRONG_BODIES)
def test_what_cannot_be_asked_is_answered_with_what_to_send(iris: Site, body: bytes, kind: str, status: int) -> None:
    answer = iris.client.post("/hosted/models/iris/predict", content=body, headers={"Content-Type": kind})
    assert_problem(answer, status)


@pytest.mark.parametrize("ref", ["nothing", "iris:9", "iris:candidate"])
def test_what_is_not_there_is_answered_404(iris: Site, ref: str) -> None:
    for answer in (
        iris.predict(ref, [1, 2, 3, 4]),
        iris.client.get(f"/hosted/models/{ref}"),
        iris.client.get(f"/hosted/models/{ref}/download"),
        iris.client.request("DELETE", f"/hosted/models/{ref}"),
    ):
        problem = assert_problem(answer, 404)
        assert "hosted.iris" not in problem["detail"]


@pytest.mark.parametrize("tag", ["Iris", "a_b", "a.b", "x" * 64, "iris:1", "%2e%2e", "ir%20is"])
def test_a_tag_that_cannot_be_is_refused(iris: Site, tag: str) -> None:
    answer = iris.client.post(f"/hosted/models/{tag}", content=b"x")
    assert answer.status_code == 422, answer.text
    assert len(iris.client.get("/hosted/models").json()) == 1


@pytest.mark.parametrize("tag", ["sample", "housing"])
def test_the_name_of_a_plugin_is_no_tag(iris: Site, tag: str) -> None:
    answer = iris.upload(tag, iris.folder / "iris-1.onnx")
    assert_problem(answer, 409, told="choose another tag")


def pickled(folder: Path) -> bytes:
    joblib.dump(LogisticRegression(), folder / "m.joblib")
    return (folder / "m.joblib").read_bytes()


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("empty.onnx", lambda folder: b"", "empty"),
        ("cut.onnx", lambda folder: add(folder / "whole.onnx", 1).read_bytes()[:60], ""),
        ("noise.onnx", lambda folder: bytes(range(256)) * 10, ""),
        ("text.txt", lambda folder: b"not a model at all", ""),
        ("model.joblib", pickled, "atoll registry convert"),
        ("traversal.zip", lambda folder: zipped("../../evil.onnx", b"x"), ""),
    ],
)
def test_a_file_that_is_no_model_changes_nothing(iris: Site, tmp_path: Path, name: str, make: Any, told: str) -> None:
    file = tmp_path / name
    file.write_bytes(make(tmp_path))
    assert_problem(iris.upload("iris", file), 422, told=told)
    assert iris.client.get("/hosted/models").json()[0]["versions"] == [2, 1]
    assert iris.uploading == []


def test_a_wrong_checksum_and_a_form_without_a_file_change_nothing(iris: Site) -> None:
    body = (iris.folder / "iris-1.onnx").read_bytes()
    wrong = iris.client.post("/hosted/models/iris", content=body, headers={"X-Checksum-Sha256": "0" * 64})
    assert_problem(wrong, 422, told="nothing was kept")
    assert_invalid(iris.client.post("/hosted/models/iris", files={"other": body}), "body.path", told="-F path=@file")
    two = iris.client.post("/hosted/models/iris", files=[("path", body), ("path", body)])
    assert_invalid(two, "body.path", told="more than one")
    coded = iris.client.post("/hosted/models/iris", content=body, headers={"Content-Encoding": "gzip"})
    assert_problem(coded, 415)
    assert iris.client.get("/hosted/models").json()[0]["versions"] == [2, 1]


def test_a_form_that_is_cut_off_changes_nothing(iris: Site) -> None:
    body = (iris.folder / "iris-1.onnx").read_bytes()
    cut = b'--x\r\nContent-Disposition: form-data; name="path"; filename="a.onnx"\r\n\r\n' + body
    answer = iris.client.post(
        "/hosted/models/iris", content=cut, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert_problem(answer, 400, told="ends before")
    assert iris.uploading == []


def test_a_share_that_is_full_or_gone_while_publishing_changes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.upload("iris", add(site.folder / "1.onnx", 1))
    share = site.client.app.state.runtime.registry.blobs.share  # type: ignore[attr-defined]
    second = add(site.folder / "2.onnx", 2)
    from common.storage import ShareDown, ShareFull

    for error, status in ((ShareFull(), 503), (ShareDown("the share does not answer"), 424)):

        def refuse(*_: object, error: Exception = error) -> int:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(share, "write", refuse)
            assert_problem(site.upload("iris", second), status)
        assert site.client.get("/hosted/models").json()[0]["versions"] == [1]
        assert site.uploading == []
    assert site.upload("iris", second).json()["version"] == 2


def test_a_disk_that_is_full_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise Unavailable("this host has no room to receive the file", retry_after_s=60)

    with monkeypatch.context() as patch:
        patch.setattr(landing.Landing, "write", full)
        assert_problem(site.upload("iris", add(site.folder / "1.onnx", 1)), 503, told="no room")
    assert site.uploading == []


def test_a_blob_with_a_flipped_bit_is_found_and_put_aside(site: Site) -> None:
    site.upload("iris", add(site.folder / "1.onnx", 1))
    blobs = [path for path in (site.state / "share" / "blobs").rglob("*") if path.is_file()]
    for blob in blobs:
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 1
        blob.chmod(0o600)
        blob.write_bytes(bytes(content))
    shutil.rmtree(site.state / "cache", ignore_errors=True)
    assert site.predict("iris", [0, 0, 0, 0]).status_code in (424, 503)
    assert list((site.state / "share" / "quarantine").iterdir())


def test_a_model_that_could_never_be_opened_here_is_refused(site: Site) -> None:
    models = site.client.app.state.runtime.settings.models  # type: ignore[attr-defined]
    models.pool_bytes = 1_000_000
    answer = site.upload("iris", heavy(site.folder / "heavy.onnx", 2_000_000))
    assert_problem(answer, 422, told="MODEL_POOL_BYTES")
    assert site.client.get("/hosted/models").json() == []


def test_an_upload_that_is_larger_than_allowed_is_refused(site: Site) -> None:
    hosting = site.client.app.state.runtime.settings.hosting  # type: ignore[attr-defined]
    hosting.max_model_bytes = 1024
    file = site.folder / "large.onnx"
    file.write_bytes(bytes(3_000_000))
    assert_problem(site.upload("iris", file), 413, told="MAX_MODEL_BYTES")

    async def untold() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(600)

    assert_problem(site.client.post("/hosted/models/iris", content=untold()), 413, told="MAX_MODEL_BYTES")
    assert site.uploading == []


def test_a_shadow_is_asked_too_and_only_counted(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number), **({"alias": "candidate"} if number == 2 else {}))
    registry = site.client.app.state.runtime.registry  # type: ignore[attr-defined]
    registry.set_traffic("hosted.iris", {"default": 1.0}, shadow="candidate")
    line = 'atoll_shadow_answers_total{model="hosted.iris",outcome="different",shadow="2",version="1"}'

    def different() -> float:
        return sum(
            float(text.rpartition(" ")[2]) for text in metrics.exposition().decode().splitlines() if line in text
        )

    before = different()

    async def ask() -> list[httpx.Response]:
        async with connected(site.client.app) as client:
            body = {"values": [0, 0, 0, 0]}
            answers = [await client.post("/hosted/models/iris/predict", json=body) for _ in range(3)]
            await until(lambda: different() >= before + 3)
            return answers

    assert [answer.json()["version"] for answer in asyncio.run(ask())] == [1, 1, 1]


@pytest.mark.parametrize(
    "body", [{"json": {"values": [1, 2, 3, 4]}}, {"files": {"path": ("x.png", b"x", "image/png")}}]
)
def test_a_prediction_may_be_queued(iris: Site, body: dict[str, Any]) -> None:
    answer = iris.client.post("/hosted/models/iris/predict", headers={"Prefer": "respond-async"}, **body)
    assert answer.status_code == 202
    assert answer.json()["model"] == "hosted"
