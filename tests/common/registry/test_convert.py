"""Pickles of models as files that can be uploaded."""

import os
import pickle
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from typer.testing import CliRunner

from common.cli.app import app
from common.errors import Conflict, Invalid, NotFound
from common.registry.convert import convert
from common.registry.skops_types import TRUSTED

IRIS, SPECIES = load_iris(return_X_y=True)


def dumped(path: Path, model: object, **how: object) -> Path:
    joblib.dump(model, path, **how)
    return path


@pytest.mark.parametrize("compress", [0, 3, ("xz", 3)])
def test_an_estimator_becomes_a_skops_file_that_answers_the_same(tmp_path: Path, compress: object) -> None:
    model = RandomForestClassifier(5, random_state=0).fit(IRIS, SPECIES)
    made = convert(dumped(tmp_path / "forest.joblib", model, compress=compress))
    assert (made.path, made.kind, made.what) == (tmp_path / "forest.skops", "skops", "RandomForestClassifier")
    again = skops.io.load(made.path, trusted=list(TRUSTED))
    assert np.array_equal(again.predict_proba(IRIS), model.predict_proba(IRIS))


def test_a_plain_pickle_and_a_model_within_a_dictionary_are_opened_too(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"model": LogisticRegression(max_iter=500).fit(IRIS, SPECIES), "columns": ["a"]}))
    assert convert(path, tmp_path / "other.skops").path == tmp_path / "other.skops"


def test_lightgbm_and_xgboost_become_files_of_their_own(tmp_path: Path) -> None:
    light = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(IRIS, SPECIES)
    made = convert(dumped(tmp_path / "light.pkl", light))
    assert (made.path.name, made.kind) == ("light.txt", "lightgbm")
    booster = lightgbm.Booster(model_file=str(made.path))
    assert np.asarray(booster.predict(IRIS)) == pytest.approx(np.asarray(light.predict_proba(IRIS)))
    extreme = xgboost.XGBClassifier(n_estimators=3).fit(IRIS, SPECIES)
    made = convert(dumped(tmp_path / "extreme.pkl", extreme))
    assert (made.path.name, made.kind) == ("extreme.ubj", "xgboost")
    loaded = xgboost.XGBClassifier()
    loaded.load_model(made.path)
    assert np.allclose(loaded.predict_proba(IRIS), extreme.predict_proba(IRIS))


def test_a_file_that_is_there_is_overwritten_only_if_asked(tmp_path: Path) -> None:
    path = dumped(tmp_path / "m.pkl", LogisticRegression(max_iter=500).fit(IRIS, SPECIES))
    (tmp_path / "m.skops").write_text("mine")
    with pytest.raises(Conflict, match="--force"):
        convert(path)
    assert (tmp_path / "m.skops").read_text() == "mine"
    convert(path, force=True)
    assert (tmp_path / "m.skops").read_bytes().startswith(b"PK")


def test_code_that_a_server_does_not_know_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    path = dumped(tmp_path / "m.pkl", make_pipeline(FunctionTransformer(os.getenv), LogisticRegression()))
    with pytest.raises(Invalid, match=r"os\.getenv"):
        convert(path)
    assert [file.name for file in tmp_path.iterdir()] == ["m.pkl"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (pickle.dumps([1, 2]), "holds a list, which predicts nothing"),
        (pickle.dumps({"a": 1}), "0 models in it"),
        (b"\x80\x04K", "cannot be opened as pickle or joblib"),
        (b"cno_such_package\nModel\n.", "needs the package 'no_such_package'"),
        (b"PK\x05\x06" + bytes(18), "torch.onnx.export"),
    ],
)
def test_what_holds_no_model_is_refused_with_the_reason(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=told):
        convert(path)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        convert(tmp_path / "m.pkl")


def test_the_command_tells_what_it_wrote_or_why_not(tmp_path: Path) -> None:
    path = dumped(tmp_path / "m.joblib", LogisticRegression(max_iter=500).fit(IRIS, SPECIES))
    done = CliRunner().invoke(app, ["registry", "convert", str(path)])
    assert done.exit_code == 0
    assert "m.skops  (LogisticRegression as skops)" in done.output.replace("\n", "")
    done = CliRunner().invoke(app, ["registry", "convert", str(tmp_path / "other.pkl")])
    assert done.exit_code == 1
