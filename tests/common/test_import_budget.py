"""What importing the app must not bring; no clock is needed to tell."""

import json
from pathlib import Path

from tests.support.servers import run_python

HEAVY = ["cryptography", "jwt", "onnxruntime", "optuna", "pandas", "redis", "scipy", "sklearn", "torch", "transformers"]
# structlog's, not ours.
HEAVY += ["pygments", "rich"]
CODE = """
import json, sys, threading
from common.app import create_app
create_app().openapi()
print(json.dumps([sorted(sys.modules), [t.name for t in threading.enumerate()]]))
"""


def test_making_the_app_imports_no_heavy_library_and_starts_no_thread(tmp_path: Path) -> None:
    run = run_python(["-c", CODE], tmp_path)
    assert run.returncode == 0, run.stderr
    modules, threads = json.loads(run.stdout)
    assert sorted(set(HEAVY) & set(modules)) == []
    assert threads == ["MainThread"]


def test_making_the_app_reads_no_data_and_writes_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run = run_python(["-c", CODE], state, {"DATASET_PATH": str(tmp_path / "nowhere")})
    assert run.returncode == 0, run.stderr
    assert not state.exists()


def test_help_imports_neither_the_web_framework_nor_numpy(tmp_path: Path) -> None:
    code = "import sys, common.cli; print(json.dumps(sorted(sys.modules)) if (json := __import__('json')) else '')"
    modules = json.loads(run_python(["-c", code], tmp_path).stdout)
    assert sorted({"fastapi", "numpy", "uvicorn"} & set(modules)) == []
