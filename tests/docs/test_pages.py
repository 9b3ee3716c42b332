"""Every command of pages of the docs, run in their order in one checkout against one server; but for `left_out.py`."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trustme
from PIL import Image

from common.submission.task_config import read_config
from tests.docs.left_out import BLOCKS
from tests.models.scaleout.importing import events
from tests.models.scaleout.importing.test_mongo import APPLICATION, JOB
from tests.support.blocks import Block
from tests.support.indicator_sources import Sources
from tests.support.onnx_models import add, brightness
from tests.support.servers import CHECKOUT, wait_for
from tests.support.terminal import Terminal, follow

SPARK_LOGS = CHECKOUT / "tests/models/scaleout/importing/data"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    made = Terminal(
        tmp_path_factory.mktemp("reader"), {"SERVICE_MODEL": "sample,hosted,imputation,scaleout", "SAMPLING": "true"}
    )
    made.serve()
    yield made
    made.leave()


@pytest.fixture(autouse=True)
def _a_fresh_page(terminal: Terminal) -> None:
    terminal.said.clear()
    terminal.variables.pop("ATOLL_KEY", None)


def key(terminal: Terminal, *scopes: str) -> str:
    assert terminal.server is not None
    made = terminal.server.post("/keys", json={"name": "reader", "scopes": list(scopes)})
    assert made.status_code == 201, made.text
    found: str = made.json()["key"]
    return found


def versions(terminal: Terminal, count: int, name: str) -> None:
    """So many versions of a hosted model, from 1 on where there is none; the pages call it iris."""
    assert terminal.server is not None
    for number in range(1, count + 1):
        file = add(terminal.folder / f"{name}.onnx", number)
        made = terminal.server.post(f"/hosted/models/{name}", files={"path": (file.name, file.read_bytes())})
        assert made.status_code == 201, made.text
    terminal.said["iris"] = name


def test_console(terminal: Terminal) -> None:
    terminal.variables["ATOLL_KEY"] = key(terminal, "predict")
    follow(terminal, "console.md", leave_out=BLOCKS["console.md"])
    assert "HTTP/1.1 200" in terminal.output
    assert "set-cookie: " in terminal.output.lower()


def test_drift(terminal: Terminal) -> None:
    server = terminal.server
    assert server is not None
    rows = np.random.default_rng(7).normal(size=(1500, 4))
    np.savetxt(terminal.folder / "train.csv", rows, delimiter=",", header="a,b,c,d", comments="")

    def sampled() -> None:
        # One row of a hundred is kept: so many, shifted, that the two hundred that a comparison needs are there.
        moved = (rows + np.array([0, 0, 3, 0])).tolist()
        for _ in range(24):
            server.post("/hosted/models/iris/predict", json={"values": moved}).raise_for_status()
        # It looks at all rows there are, so these are written at once and not in half a minute.
        assert server.post("/registry/hosted.iris/versions/1/drift").status_code == 409

    def opened(block: Block) -> None:
        sampled()

        def kept() -> list[Path]:
            return list((terminal.state / "share/samples").rglob("*.npz"))

        (found,) = {str(path) for path in wait_for(kept, "a file of the sample")[:1]}
        names: dict[str, object] = {}
        exec(block.text.replace("20261121T201500-412-….npz", found), names)  # noqa: S102
        assert "input.X.2" in names["frame"].columns  # type: ignore[attr-defined]

    def compared() -> None:
        def enough() -> bool:
            told = server.get("/registry/hosted.iris/sampling").json()
            rows: int = sum(version["rows"] for version in told["versions"])
            return rows >= 200

        wait_for(enough, "two hundred rows on the share")

    def answered(block: Block) -> None:
        given = server.post("/registry/hosted.iris/versions/1/drift").json()
        shown = json.loads(block.text)
        assert sorted(given) == sorted(shown)
        assert sorted(given["columns"][0]) == sorted(shown["columns"][0])
        assert (given["columns"][0]["column"], given["verdict"]) == ("input.X.2", "major")

    versions(terminal, 1, "iris")
    follow(
        terminal,
        "drift.md",
        leave_out={},
        before={"atoll registry drift": compared},
        instead={"import numpy": opened, '{"model": "hosted.iris"': answered},
    )


def test_hosted(terminal: Terminal) -> None:
    def one_more() -> None:
        versions(terminal, 1, "roses")
        # The download has that name.
        (terminal.folder / "roses.onnx").unlink()

    def pictured() -> None:
        assert terminal.server is not None
        file = brightness(terminal.folder / "cats.onnx")
        terminal.server.post("/hosted/models/cats", files={"path": (file.name, file.read_bytes())}).raise_for_status()
        Image.new("RGB", (16, 16), (200, 100, 0)).save(terminal.folder / "cat.png")

    def summed(block: Block) -> None:
        terminal.run(block.text.replace("<of the whole file>", "0" * 64).replace("150000000", "150000"))

    add(terminal.folder / "roses.onnx", 1)
    terminal.said["iris"] = "roses"
    follow(
        terminal,
        "hosted.md",
        leave_out=BLOCKS["hosted.md"],
        before={
            "curl -F path=@cat.png": pictured,
            "curl http://127.0.0.1:7071/hosted/models  ": one_more,
        },
        instead={"curl http://127.0.0.1:7071/hosted/uploads": summed},
    )


def test_incidents(terminal: Terminal) -> None:
    follow(terminal, "incidents.md", leave_out={})


def test_index_and_its_command(terminal: Terminal) -> None:
    follow(
        terminal,
        "index.md",
        leave_out={},
        instead={"make run\n": lambda _: terminal.run(f"curl -f {terminal.url}/health/live")},
    )


def test_local(terminal: Terminal) -> None:
    follow(terminal, "local.md", leave_out=BLOCKS["local.md"])


def test_operations(terminal: Terminal) -> None:
    follow(
        terminal,
        "operations.md",
        leave_out=BLOCKS["operations.md"],
        instead={".venv/bin/python -m common.jobs worker": lambda block: terminal.run_until(block.text, "worker")},
    )


def test_plugins(terminal: Terminal) -> None:
    follow(terminal, "plugins.md", leave_out=BLOCKS["plugins.md"])


def test_readme(terminal: Terminal) -> None:
    follow(terminal, "README.md", leave_out=BLOCKS["README.md"])
    assert "trees: 2" in terminal.output


def test_registry(terminal: Terminal) -> None:
    def measured() -> None:
        assert terminal.server is not None
        told = terminal.server.client.patch("/registry/hosted.petals/versions/1", json={"metrics": {"rmse": 0.3}})
        assert told.status_code == 200, told.text

    def again() -> None:
        versions(terminal, 1, "petals")
        terminal.run("atoll registry alias hosted.iris candidate 4")

    versions(terminal, 3, "petals")
    follow(
        terminal,
        "registry.md",
        leave_out=BLOCKS["registry.md"],
        before={"atoll registry promote": measured, "atoll registry export": again},
    )


def test_reliability(terminal: Terminal) -> None:
    (terminal.folder / "tests").rename(terminal.folder / "tests-of-models")
    (terminal.folder / "tests").symlink_to(CHECKOUT / "tests")
    follow(terminal, "reliability.md", leave_out=BLOCKS["reliability.md"])


def test_scaleout(terminal: Terminal) -> None:
    server = terminal.server
    assert server is not None

    def nine_runs() -> None:
        runs = [
            {
                "execution_id": f"may-{number + 1}",
                "context": {"system": "spark", "algorithm": "gbt", "data_size_mb": 1000},
                "start_s": 1e9 + 10_000 * number,
                "end_s": 1e9 + 10_000 * number + 30 + 1800 / executors,
                "start_scale_out": executors,
                "end_scale_out": executors,
            }
            for number, executors in enumerate((2, 3, 4, 6, 8, 10, 12, 4, 8))
        ]
        server.post("/scaleout/applications", json={"applications": runs}).raise_for_status()

    def runs_with_stages() -> None:
        folder = terminal.folder / "logs"
        folder.mkdir()
        for number in range(4):
            (folder / f"app-{number}").write_bytes(b"\n".join(events.small_run(f"app-{number}")))
        terminal.run("atoll scaleout import logs")

    def imported(block: Block) -> None:
        plain, watching, exported = block.text.splitlines()
        terminal.run(plain)
        terminal.run_until(watching, ".")
        for name, row in (("application", APPLICATION), ("job", JOB)):
            (terminal.folder / f"{name}_execution.json").write_text(json.dumps(row), encoding="utf-8")
        terminal.run(exported)

    def cancelled(block: Block) -> None:
        terminal.run(block.text)
        job = json.loads(terminal.output)
        assert "id" in job, job
        assert server.client.delete(f"/jobs/{job['id']}").status_code in (200, 202)

    def shortened(block: Block) -> None:
        given, shown = json.loads(terminal.output), json.loads(block.text)
        assert sorted(given["recommendation"]) == sorted(shown["recommendation"])
        assert (given["model"], given["runs"]) == (shown["model"], shown["runs"])

    # A copy: what was imported of a folder that is watched is kept in that folder.
    spark_logs = shutil.copytree(SPARK_LOGS, terminal.folder / "spark-events")
    terminal.said["/var/log/spark-events"] = str(spark_logs)
    follow(
        terminal,
        "scaleout.md",
        leave_out=BLOCKS["scaleout.md"],
        before={
            "curl http://127.0.0.1:7071/scaleout/predict": nine_runs,
            "curl http://127.0.0.1:7071/scaleout/train": runs_with_stages,
        },
        instead={
            "atoll scaleout import": imported,
            '{\n  "curve"': shortened,
            '{"image": "registry.example': lambda block: json.loads(block.text),
            "curl http://127.0.0.1:7071/scaleout/train": cancelled,
        },
    )


def test_security(terminal: Terminal) -> None:
    def certified(block: Block) -> None:
        certificate = trustme.CA().issue_cert("localhost")
        certificate.cert_chain_pems[0].write_to_path(terminal.folder / "chain.pem")
        certificate.private_key_pem.write_to_path(terminal.folder / "key.pem")
        terminal.run_until(block.text, r"address +https://")

    terminal.variables["ATOLL_KEY"] = key(terminal, "admin")
    follow(terminal, "security.md", leave_out=BLOCKS["security.md"], instead={"atoll serve --ssl-certfile": certified})


def test_tasks(terminal: Terminal) -> None:
    def config(block: Block) -> None:
        read_config(json.loads(block.text))

    follow(
        terminal,
        "tasks.md",
        leave_out={},
        instead={'{"inputs"': config, '{"dataset_name"': config},
    )
    assert "{'n_estimators': 2}" in terminal.output


def test_datasets_from_a_stand_in_for_the_public_sources(terminal: Terminal) -> None:
    sources = Sources()
    (terminal.folder / "codes.txt").write_text("GE.EST\n", encoding="utf-8")
    terminal.said = {
        "/data": str(terminal.folder / "data"),
        "pull world-bank": f"pull world-bank --base-url {sources.url}",
        "pull undp": f"pull undp --base-url {sources.url}/report.csv",
    }
    follow(terminal, "datasets.md", leave_out={})
    sources.close()
    for folder in ("datasets", "data/wdi", "data/hdr"):
        assert list((terminal.folder / folder).iterdir())
