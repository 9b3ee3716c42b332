"""What is told where a version cannot be opened, and what becomes of NaN."""

from pathlib import Path

from tests.models.hosted.conftest import Site
from tests.support.onnx_models import add
from tests.support.problems import assert_invalid, assert_problem


def test_models_tells_which_version_could_not_be_opened_while_the_one_before_it_answers(site: Site) -> None:
    for number in (1, 2):
        site.upload("iris", add(site.folder / "iris.onnx", number))
    assert site.predict("iris", [0, 0, 0, 0]).json()["version"] == 1
    version = site.client.app.state.runtime.registry.get("hosted.iris", 2)  # type: ignore[attr-defined]
    blob: Path = site.state / "share" / version.artefact("model.onnx").ref.share_path
    content = bytearray(blob.read_bytes())
    content[-5] ^= 1
    blob.write_bytes(bytes(content))
    assert site.client.post("/hosted/models/iris/default", json={"default": 2}).status_code == 200
    answer = site.predict("iris", [0, 0, 0, 0])
    assert (answer.json()["version"], answer.headers["x-model-version"]) == (1, "1")
    failed = {
        ref: reason for model in site.client.get("/models").json() for ref, reason in model["failed_versions"].items()
    }
    assert list(failed) == ["hosted.iris:2"]
    assert "damaged" in failed["hosted.iris:2"]
    assert_problem(site.predict("iris:2", [0, 0, 0, 0]), 503, told="hosted.iris:2 cannot be served")


def test_nan_is_taken_or_refused_as_whoever_uploaded_the_model_says(site: Site) -> None:
    for tag, fields in (("strict", {}), ("loose", {"nan": "allow"})):
        assert site.upload(tag, add(site.folder / "iris.onnx", 1), **fields).status_code == 201
    assert site.predict("loose", [1, None, 3, 4]).json()["values"] == [[2, None, 4, 5]]
    assert_problem(site.predict("strict", [1, None, 3, 4]), 422, told="no number at [0, 1]")
    assert_invalid(site.upload("other", add(site.folder / "iris.onnx", 1), nan="perhaps"), "body.nan")
