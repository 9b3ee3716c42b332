"""Model directories: read and written, by Atoll and by MLflow itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.errors import Invalid
from common.registry.mlflow import directory
from common.registry.service import Registry
from common.registry.versions import Version
from tests.common.registry.mlflow.conftest import Mlflow

# The first one may have to install MLflow.
pytestmark = pytest.mark.timeout(900)

SIGNATURE = {
    "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 2]}],
    "outputs": [
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
    ],
}


@pytest.fixture(scope="session")
def theirs(mlflow: Mlflow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that MLflow wrote, a folder for each kind."""
    folder = tmp_path_factory.mktemp("theirs")
    mlflow("save", str(folder))
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Registry]:
    from common.database import Database
    from common.storage import Blobs
    from common.storage.directory import DirectoryShare

    database = Database(f"sqlite:///{tmp_path}/own.db")
    database.migrate()
    yield Registry(database, Blobs(DirectoryShare(tmp_path / "share"), tmp_path / "cache"))
    database.close()


def published(registry: Registry, artefacts: dict[str, Path | bytes], **about: Any) -> Version:
    return registry.publish("iris", artefacts, author="ada", code_version="1", **about)


def written(registry: Registry, version: Version, folder: Path) -> Path:
    directory.write(version, lambda name: registry.blobs.read(version.artefact(name).ref), folder)
    return folder


def test_a_version_comes_back_from_a_directory_as_it_was(own: Registry, tmp_path: Path) -> None:
    artefacts: dict[str, Path | bytes] = {"weights.bin": b"1", "requirements.txt": b"2", "MLmodel": b"3"}
    version = published(own, artefacts, metrics={"rmse": 0.5}, description="x", tags=["t"], signature=SIGNATURE)
    found = directory.read(written(own, version, tmp_path / "out"))
    assert {name: path.read_bytes() for name, path in found.artefacts.items()} == artefacts
    assert Version.model_validate(found.about) == version
    assert (found.metrics, found.signature, found.main) == ({"rmse": 0.5}, SIGNATURE, None)


@pytest.mark.parametrize(
    ("kind", "library", "artefact"),
    [("onnx", "onnx", "model.onnx"), ("skops", "scikit-learn", "model.skops")],
)
def test_what_mlflow_wrote_is_read(theirs: Path, kind: str, library: str, artefact: str) -> None:
    found = directory.read(theirs / kind)
    assert (found.library, found.main, list(found.artefacts)) == (library, artefact, [artefact])
    assert found.signature is not None
    assert found.signature["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}]
    assert found.library_version


@pytest.mark.parametrize(("kind", "library"), [("onnx", "onnxruntime"), ("skops", "scikit-learn")])
def test_what_atoll_wrote_is_opened_by_mlflow(
    own: Registry, theirs: Path, mlflow: Mlflow, tmp_path: Path, kind: str, library: str
) -> None:
    found = directory.read(theirs / kind)
    signature = SIGNATURE if kind == "onnx" else found.signature
    version = published(own, dict(found.artefacts), library=library, signature=signature)
    folder = written(own, version, tmp_path / "out")
    assert json.loads(mlflow("open", str(folder))) == {"label": [1]}


def test_a_pickle_is_refused_and_what_to_do_is_told(theirs: Path) -> None:
    with pytest.raises(Invalid, match="atoll registry convert FILE"):
        directory.read(theirs / "pickle")


def mlmodel(folder: Path, told: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "MLmodel").write_text(told if isinstance(told, str) else yaml.safe_dump(told))
    return folder


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("{", "no YAML"),
        ("- a", "no MLflow model"),
        ("!!python/object/apply:os.system ['true']", "no YAML"),
        ({"a": 1}, "no flavors"),
        ({"flavors": {"pytorch": {}}}, "the model is of pytorch; Atoll takes those of lightgbm, onnx"),
        ({"flavors": {"onnx": {}}}, "names no file"),
        ({"flavors": {"onnx": {"data": "../secret"}}}, "lies outside"),
        ({"flavors": {"onnx": {"data": "/etc/passwd"}}}, "lies outside"),
        ({"flavors": {"onnx": {"data": "link"}}}, "lies outside"),
        ({"flavors": {"onnx": {"data": "gone.onnx"}}}, "is not there"),
        ({"flavors": {"onnx": {"data": "folder"}}}, "is a folder"),
        ({"flavors": {"atoll": {"model": "x"}}}, "was changed"),
    ],
)
def test_a_directory_that_cannot_be_is_refused(tmp_path: Path, told: Any, why: str) -> None:
    (tmp_path / "secret").write_text("x")
    folder = mlmodel(tmp_path / "model", told)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").mkdir()
    with pytest.raises(Invalid, match=why):
        directory.read(folder)


def test_a_huge_mlmodel_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="larger than"):
        directory.read(mlmodel(tmp_path / "model", "a" * (1 << 20) + "b"))


def test_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="has no file MLmodel"):
        directory.read(tmp_path)


def test_a_file_that_was_changed_after_the_export_is_refused(own: Registry, tmp_path: Path) -> None:
    folder = written(own, published(own, {"model.onnx": b"1"}), tmp_path / "out")
    (folder / "model.onnx").write_bytes(b"2")
    with pytest.raises(Invalid, match=r"model\.onnx is not what was exported"):
        directory.read(folder)


@pytest.mark.parametrize(
    ("artefacts", "library", "flavor"),
    [
        (["model.onnx", "card.json"], "onnxruntime", ("onnx", "model.onnx")),
        (["model.onnx", "model.skops"], "scikit-learn", ("sklearn", "model.skops")),
        (["model.txt"], "lightgbm", ("lightgbm", "model.txt")),
        (["model.json", "notes.txt"], "xgboost", ("xgboost", "model.json")),
        (["a.onnx", "b.onnx"], "onnxruntime", None),
        (["weights.bin"], None, None),
    ],
)
def test_the_flavor_is_that_of_the_file_that_was_trained(
    own: Registry, artefacts: list[str], library: str | None, flavor: tuple[str, str] | None
) -> None:
    version = published(own, dict.fromkeys(artefacts, b"x"), library=library)
    assert directory.flavor_of(version) == flavor
