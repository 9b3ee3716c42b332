"""`python -m common.submission.training.remote`, as a cluster runs it."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.plugins.fingerprint import code_version
from common.submission.training.journal import FileJournal
from common.submission.training.remote import FAILED, STOPPED
from common.submission.training.wire import Account, Gone, Lines, Order, Progressed, Said, Told
from tests.support.plugins import write_plugin
from tests.support.servers import environment

JOB = "0" * 24 + "abc"
POINTS = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7], "trials": 12}
MODULE = "common.submission.training.remote"

ODD = """
import time
from pathlib import Path
from fastapi import APIRouter
from common.jobs.errors import JobRefused
from common.plugins import BaseDefinition, Plugin, param

router = APIRouter(prefix="/odd")

class Ask(BaseDefinition):
    do: str = param("", title="What to do")
    until: str = param("", title="A file to wait for")

def train(context, request):
    if request.do == "refuse":
        raise JobRefused("too few rows")
    if request.do == "fail":
        print("about to divide")
        1 / 0
    if request.do == "exit":
        raise SystemExit(7)
    if request.do == "wait":
        context.progress(0.5, "waiting")
        while not (request.until and Path(request.until).exists()):
            context.check_cancelled()
            time.sleep(0.05)
    if request.do == "count":
        before = int(context.checkpoint.load() or b"0")
        context.checkpoint.save(str(before + 1).encode())
        context.log(f"before: {before}")
    context.publish({"weights": b"w", "twin": b"w"}, {"loss": float("nan"), "rows": 3}, alias=None, data_hash="d1",
                    description="odd", tags=["tried"])

plugin = Plugin(train=train, train_request=Ask)
"""


class Place:
    """A task's folder."""

    def __init__(self, folder: Path, plugins: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self._plugins = plugins
        for name in ("inputs", "output"):
            (folder / name).mkdir(parents=True)

    def order(self, model: str, body: object, code: str = "other") -> None:
        (self.folder / "inputs/order.json").write_bytes(Order(model, JOB, code).to_json())
        (self.folder / "inputs/request.json").write_text(json.dumps(body))

    def start(self) -> "subprocess.Popen[bytes]":
        places = {
            "ATOLL_INPUT_DIR": str(self.folder / "inputs"),
            "ATOLL_OUTPUT_DIR": str(self.output),
            "ATOLL_PLUGIN_PATH": str(self._plugins),
            "ATOLL_STATE": "",
        }
        env = {name: value for name, value in environment(self.folder, places).items() if value}
        return subprocess.Popen([sys.executable, "-u", "-m", MODULE], env=env, stdout=subprocess.PIPE, cwd=self.folder)

    def run(self) -> tuple[int, list[Told]]:
        """Its exit code, and what it told."""
        process = self.start()
        said, _ = process.communicate(timeout=60)
        return process.returncode, list(Lines().feed(said))

    @property
    def account(self) -> Account:
        return Account.read((self.output / "training.json").read_bytes())

    @property
    def published(self) -> dict[str, Any]:
        found = self.account.published
        assert found is not None
        return dict(found)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "task", write_plugin(tmp_path / "plugins", "odd", ODD))


def test_a_search_leaves_artefacts_metrics_an_account_and_its_study(place: Place) -> None:
    place.order("sample", POINTS, code_version("models.sample"))
    code, told = place.run()
    assert code == 0
    figures = place.published["metrics"]
    assert told[-1] == Progressed(1.0, "12 of 12 trials", {"trials": 12, "best": figures["rmse"]})
    assert not [one for one in told if isinstance(one, Said)]
    best = json.loads((place.output / "artefacts/line.json").read_bytes())
    assert place.account.searched == {"best_params": best, "trials": {"complete": 12, "pruned": 0, "failed": 0}}
    assert json.loads((place.output / "metrics.json").read_bytes()) == figures
    entries = list(FileJournal(place.output / "study.jsonl").read_logs(0))
    assert sum(entry["op_code"] == 4 for entry in entries) == 12


def test_a_task_that_is_put_back_goes_on_with_its_search(place: Place) -> None:
    place.order("sample", POINTS | {"trials": 4})
    place.run()
    first = (place.output / "study.jsonl").read_bytes()
    # Killed in the middle of a line.
    (place.output / "study.jsonl").write_bytes(first + b'{"op_code": 4, "wor')
    place.order("sample", POINTS)
    code, _ = place.run()
    assert code == 0
    assert (place.output / "study.jsonl").read_bytes().startswith(first)
    assert place.account.searched["trials"] == {"complete": 12, "pruned": 0, "failed": 0}


def test_a_checkpoint_outlives_the_process(place: Place) -> None:
    place.order("odd", {"do": "count"})
    place.run()
    _, told = place.run()
    assert Said("before: 1") in told


def test_all_that_is_published_stands_in_the_account(place: Place) -> None:
    place.order("odd", {})
    assert place.run()[0] == 0
    assert {made.name for made in place.account.artefacts} == {"weights", "twin"}
    assert (place.output / "artefacts/twin").read_bytes() == b"w"
    assert place.published == {
        "metrics": {"loss": None, "rows": 3},
        "alias": None,
        "data_hash": "d1",
        "signature": None,
        "description": "odd",
        "tags": {"tried": ""},
    }
    assert json.loads((place.output / "metrics.json").read_bytes()) == {"rows": 3}


def test_other_code_than_that_of_the_server_is_told(place: Place) -> None:
    place.order("sample", POINTS, "of another release")
    _, told = place.run()
    assert [one.level for one in told if isinstance(one, Said)] == ["warning"]
    assert place.account.code_version == code_version("models.sample")


@pytest.mark.parametrize(
    ("model", "body", "gone"),
    [
        ("odd", {"do": "refuse"}, Gone("too few rows", refused=True)),
        ("odd", {"do": "fail"}, Gone("ZeroDivisionError: division by zero", refused=False)),
        ("odd", {"do": "exit"}, Gone("the model's code ended with exit code 7", refused=True)),
    ],
)
def test_why_it_went_wrong_is_told_last(place: Place, model: str, body: object, gone: Gone) -> None:
    place.order(model, body)
    code, told = place.run()
    assert (code, told[-1]) == (FAILED, gone)
    assert not (place.output / "training.json").exists()


@pytest.mark.parametrize(("model", "said"), [("absent", "no such plugin"), ("countries", "cannot be trained")])
def test_what_cannot_be_trained_is_refused(place: Place, model: str, said: str) -> None:
    place.order(model, {})
    _, told = place.run()
    assert isinstance(told[-1], Gone)
    assert said in told[-1].text
    assert told[-1].refused


def test_a_body_that_another_version_took_is_refused(place: Place) -> None:
    place.order("sample", {"x": []})
    _, told = place.run()
    assert isinstance(told[-1], Gone)
    assert told[-1].refused
    assert "x" in told[-1].text


def test_it_leaves_when_it_is_told_to(place: Place) -> None:
    place.order("odd", {"do": "wait"})
    with place.start() as process:
        assert process.stdout is not None
        heard = iter(process.stdout)
        assert any(b"waiting" in line for line in heard)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == STOPPED
