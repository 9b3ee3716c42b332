"""What kind of file it is, by its content; what is refused before anything opens it."""

import gzip
import pickle
from pathlib import Path

import joblib
import pytest

from common.errors import Invalid
from models.hosted.formats.sniff import kind_of, refuse_pickle
from tests.models.hosted.makers import archive
from tests.support.onnx_models import add


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"tree\nversion=v4\nnum_class=1\n", "lightgbm"),
        (b'{"learner":{"attributes":{}}}', "xgboost"),
        (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", "xgboost"),
    ],
)
def test_a_file_is_known_by_its_content_whatever_its_name(tmp_path: Path, content: bytes, kind: str) -> None:
    assert kind_of(written(tmp_path / "f", content), "model.bin") == kind


def test_onnx_is_known_by_its_first_field(tmp_path: Path) -> None:
    assert kind_of(add(tmp_path / "f", 1), "no-ending") == "onnx"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["schema.json", "1.npy"], "skops"),
        (["iris/model.onnx", "iris/weights.bin"], "zip_onnx"),
        (["config.json", "model.safetensors"], "huggingface"),
    ],
)
def test_an_archive_is_known_by_what_is_in_it(tmp_path: Path, names: list[str], kind: str) -> None:
    assert kind_of(archive(tmp_path / "f", dict.fromkeys(names, b"{}")), "upload.zip") == kind


def test_pickles_are_refused_with_the_way_to_convert_them_and_are_not_opened(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(tmp_path / "ran"), "w"))

    file = written(tmp_path / "m", pickle.dumps(Runs()))
    for name in ("model.pkl", "model.onnx", "model"):
        with pytest.raises(Invalid, match="atoll registry convert"):
            refuse_pickle(file, name)
    joblib.dump({"a": 1}, tmp_path / "packed", compress=3)
    with pytest.raises(Invalid, match=r"joblib file.*atoll registry convert model.joblib"):
        refuse_pickle(tmp_path / "packed", "model.joblib")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "model.onnx", "empty"),
        (gzip.compress(b"x", mtime=0), "model.onnx.gz", "packed with gzip"),
        (b"\x89HDF\r\n", "model.h5", "tf2onnx"),
        (b'<?xml version="1.0"?><PMML>', "model.pmml", "PMML is not served"),
        (b"hello", "notes.txt", "no known format"),
        (b"PK\x03\x04cut", "model.zip", "cut short"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_send(
    tmp_path: Path, content: bytes, name: str, told: str
) -> None:
    with pytest.raises(Invalid, match=told):
        kind_of(written(tmp_path / "f", content), name)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["m/data.pkl", "m/version"], "torch.onnx.export"),
        (["config.json", "model.weights.h5"], "Keras"),
        (["model.pkl", "config.json"], "is a pickle file"),
        (["notes.txt"], "neither an .onnx file"),
    ],
)
def test_archives_of_other_things_are_refused(tmp_path: Path, names: list[str], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        kind_of(archive(tmp_path / "f", dict.fromkeys(names, b"1")), "upload.zip")
