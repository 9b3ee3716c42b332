"""Uploaded files, checked by real processes: what is accepted and what is told of it, and what is refused."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from common.errors import Invalid, Unavailable
from common.serving.tensors import TensorSpec
from models.hosted.check import Asked, Checked, Limits, check
from models.hosted.check.supervise import run_child
from models.hosted.formats.card import CARD, Card
from tests.models.hosted.makers import allocates, archive, leaks, loops, outside, unknown_operator
from tests.support.onnx_models import add, heavy

MB = 1_000_000
IRIS, SPECIES = load_iris(return_X_y=True)


def dumped(folder: Path, estimator: object) -> Path:
    path = folder / "model.skops"
    skops.io.dump(estimator, path)
    return path


def checked(path: Path, limits: Limits | None = None, asked: Asked | None = None) -> Checked:
    return check(path, path.name, limits or Limits(), asked)


def test_an_onnx_file_is_told_by_its_signature(tmp_path: Path) -> None:
    with checked(add(tmp_path / "m.onnx", 1), asked=Asked(library_version="1.2.3")) as found:
        assert (found.format, found.library, found.library_version, found.producer) == (
            "onnx",
            "onnxruntime",
            "1.2.3",
            "tests",
        )
        assert found.signature == {
            "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
            "outputs": [{"name": "Y", "datatype": "FP32", "shape": [-1, 4]}],
        }
        assert found.card.batches
        assert sorted(found.artefacts) == ["hosted.json", "model.onnx"]
        assert Card.read(found.artefacts[CARD]) == found.card
        folder = found.folder
    assert not folder.exists()


def test_memory_is_what_the_model_took(tmp_path: Path) -> None:
    with checked(heavy(tmp_path / "m.onnx", 40 * MB)) as found:
        assert 40 * MB <= found.card.memory_bytes < 200 * MB
    with checked(add(tmp_path / "s.onnx", 1)) as found:
        assert found.card.memory_bytes < 3 * MB


def test_rows_that_depend_on_each_other_are_not_run_with_those_of_others(tmp_path: Path) -> None:
    with checked(leaks(tmp_path / "m.onnx")) as found:
        assert not found.card.batches


def test_data_files_come_in_an_archive_with_their_model(tmp_path: Path) -> None:
    model, data = outside(tmp_path, "weights.bin")
    path = archive(tmp_path / "m.zip", {"m/model.onnx": model, "m/weights.bin": data})
    with checked(path) as found:
        assert found.card.files == {"weights.bin": "data-0-weights.bin"}
        assert sorted(found.artefacts) == ["data-0-weights.bin", "hosted.json", "model.onnx", "upload.zip"]
        assert found.card.original == "upload.zip"
    with pytest.raises(Invalid, match="pack both"):
        checked(model)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "other.bin"])
def test_data_files_outside_of_the_archive_are_refused(tmp_path: Path, location: str) -> None:
    model, data = outside(tmp_path, location)
    path = archive(tmp_path / "m.zip", {"model.onnx": model, "weights.bin": data})
    with pytest.raises(Invalid, match=location):
        checked(path)


def test_scikit_learn_is_compiled_where_that_answers_the_same(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(IRIS, SPECIES)
    with checked(dumped(tmp_path, model)) as found:
        assert (found.format, found.library) == ("onnx", "scikit-learn")
        assert found.card.inputs == (TensorSpec("input", "FP64", (-1, 4)),)
        assert [spec.name for spec in found.card.outputs] == ["label", "probabilities"]
        assert found.card.labels == ("0", "1", "2")
        assert found.card.nan == "refuse"
        # The file that was sent can be downloaded again.
        assert found.artefacts[found.card.original].read_bytes() == (tmp_path / "model.skops").read_bytes()


def test_trees_are_compiled_in_the_precision_in_which_they_compare(tmp_path: Path) -> None:
    # In doubles 4.95 would lie on the other side of the branch at float32(4.95).
    model = RandomForestClassifier(20, random_state=0).fit(IRIS, SPECIES)
    with checked(dumped(tmp_path, model)) as found:
        assert (found.format, found.card.inputs[0].datatype) == ("onnx", "FP32")


def test_what_does_not_compile_is_served_by_scikit_learn(tmp_path: Path) -> None:
    model = HistGradientBoostingClassifier(max_iter=5).fit(IRIS, SPECIES)
    with checked(dumped(tmp_path, model)) as found:
        assert found.format == "skops"
        assert found.card.nan == "allow"
        assert "model.onnx" not in found.artefacts


def test_columns_of_a_table_are_inputs_of_their_own(tmp_path: Path) -> None:
    table = pd.DataFrame({"size": np.arange(60.0), "kind": ["red", "green", "blue"] * 20})
    encode = ColumnTransformer(
        [("n", StandardScaler(), ["size"]), ("t", OneHotEncoder(handle_unknown="ignore"), ["kind"])]
    )
    model = make_pipeline(encode, LogisticRegression()).fit(table, np.where(table["size"] > 30, "big", "small"))
    with checked(dumped(tmp_path, model)) as found:
        assert found.card.inputs == (TensorSpec("size", "FP64", (-1, 1)), TensorSpec("kind", "BYTES", (-1, 1)))
        assert found.card.outputs[0].datatype == "BYTES"
        assert found.card.labels == ("big", "small")


def test_a_pipeline_of_texts_takes_texts(tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good film", "bad film"] * 5, [1, 0] * 5)
    with checked(dumped(tmp_path, model)) as found:
        assert found.format == "skops"
        assert found.card.inputs == (TensorSpec("input", "BYTES", (-1,)),)


def test_a_regression_has_one_number_a_row(tmp_path: Path) -> None:
    with checked(dumped(tmp_path, LinearRegression().fit(*load_diabetes(return_X_y=True)))) as found:
        assert [spec.name for spec in found.card.outputs] == ["variable"]
        assert found.card.labels == ()


def test_lightgbm_and_xgboost_are_served_from_their_own_files(tmp_path: Path) -> None:
    text, binary = tmp_path / "model.txt", tmp_path / "model.ubj"
    lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(IRIS, SPECIES).booster_.save_model(str(text))
    xgboost.XGBClassifier(n_estimators=3).fit(IRIS, SPECIES).save_model(binary)
    for path, library in ((text, "lightgbm"), (binary, "xgboost")):
        with checked(path) as found:
            assert (found.format, found.card.outputs) == (library, found.card.outputs)
            assert found.card.outputs[0].shape == (-1, 3)
            assert found.card.nan == "allow"


@pytest.mark.parametrize("name", ["left_child", "split_feature"])
def test_a_tree_that_leads_out_of_its_arrays_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.txt"
    lightgbm.LGBMClassifier(n_estimators=1, verbose=-1).fit(IRIS, SPECIES).booster_.save_model(str(path))
    lines = path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{name}="))
    lines[at] = f"{name}=" + " ".join(["99999"] * len(lines[at].split()))
    path.write_text("\n".join(lines))
    with pytest.raises(Invalid, match="out of its own arrays"):
        checked(path)


def test_whoever_uploads_may_say_what_becomes_of_nan(tmp_path: Path) -> None:
    with checked(add(tmp_path / "m.onnx", 1), asked=Asked(nan="allow")) as found:
        assert found.card.nan == "allow"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda folder: unknown_operator(folder / "m.onnx"), "No Op registered for NoSuchOp"),
        (lambda folder: cut(add(folder / "m.onnx", 1)), "cut short"),
        (lambda folder: noise(folder / "m.onnx"), "cannot be read"),
        (lambda folder: dumped(folder, make_pipeline(FunctionTransformer(os._exit))), r"posix\._exit"),
        (lambda folder: cut(dumped(folder, LinearRegression().fit(IRIS, SPECIES))), "cut short"),
        (lambda folder: no_schema(folder / "model.skops"), "skops file cannot be read"),
        (lambda folder: allocates(folder / "m.onnx"), "more than 300 MB of memory"),
    ],
)
def test_a_bad_model_is_refused_with_the_reason(tmp_path: Path, made: Callable[[Path], Path], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        checked(made(tmp_path), Limits(memory_bytes=300 * MB))


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-20])
    return path


def noise(path: Path) -> Path:
    path.write_bytes(b"\x08\x09" + bytes(range(255, 0, -1)) * 4)
    return path


def no_schema(path: Path) -> Path:
    return archive(path, {"schema.json": b'{"protocol": 2}'})


def test_a_model_that_never_ends_is_ended_by_its_cpu_time(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="more than 5 s of CPU time"):
        checked(loops(tmp_path / "m.onnx"), Limits(cpu_s=5, wall_s=240))


def test_a_model_that_never_ends_is_ended_by_the_clock(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="within 6 s"):
        checked(loops(tmp_path / "m.onnx"), Limits(cpu_s=200, wall_s=6))


def ended(folder: Path, code: str, limits: Limits | None = None) -> str:
    """What is told where the process of a check runs `code`."""
    folder.mkdir(exist_ok=True)
    with pytest.raises(Invalid) as refused:
        run_child([sys.executable, "-c", code], folder, limits or Limits())
    return refused.value.detail


def test_a_model_that_ends_its_process_is_refused_and_the_host_lives(tmp_path: Path) -> None:
    assert "it called exit" in ended(tmp_path, "import os; os._exit(0)")
    assert "exit status 3" in ended(tmp_path, "import os; os._exit(3)")
    assert "SIGSEGV" in ended(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert "more memory" not in ended(tmp_path, "import os; os.abort()")


def test_what_a_model_started_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, pathlib;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))"
    )
    ended(tmp_path, code)
    status = Path(f"/proc/{int((tmp_path / 'pid').read_text())}/status")
    for _ in range(1000):
        # Ended; its entry stays until somebody collects it.
        with contextlib.suppress(OSError):
            if "State:\tZ" not in status.read_text():
                time.sleep(0.01)
                continue
        return
    pytest.fail(status.read_text())


CONFINED = "from models.hosted.check import confine; confine.early({'cpu_s': 30, 'unpacked_bytes': 1000000});"


def test_the_process_has_no_secrets_and_no_files_of_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_ADMIN_KEY", "planted")
    told = ended(tmp_path, "import os, sys; sys.exit(repr(dict(os.environ)) + repr(os.listdir('/proc/self/fd')))")
    assert "planted" not in told
    with socket.socket() as kept:
        kept.set_inheritable(True)
        told = ended(tmp_path, f"import os; os.fstat({kept.fileno()})")
        assert "Bad file descriptor" in told


def test_the_process_writes_no_more_than_it_may(tmp_path: Path) -> None:
    told = ended(tmp_path, f"{CONFINED} open('big', 'wb').write(bytes(2000000))".replace("'big'", f"'{tmp_path}/big'"))
    assert "File too large" in told or "wrote more" in told
    assert (tmp_path / "big").stat().st_size <= MB


def test_memory_is_limited_on_top_of_what_is_there(tmp_path: Path) -> None:
    told = ended(tmp_path, f"{CONFINED} confine.memory(50000000); bytes(30000000); bytes(100000000)")
    assert "MemoryError" in told


def test_a_process_that_cannot_be_started_is_not_the_models_fault(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be checked"):
        run_child([str(tmp_path / "missing")], tmp_path, Limits())


def test_a_refused_model_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(Invalid):
        checked(unknown_operator(tmp_path / "m.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_the_process_that_checks_brings_no_web_framework() -> None:
    code = "import sys, models.hosted.check.child; print({'fastapi', 'uvicorn', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
