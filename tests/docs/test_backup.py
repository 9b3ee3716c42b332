"""docs/backup.md, done: state is written, backed up while a job runs, destroyed, restored, and all of it is there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.docs.left_out import BLOCKS
from tests.support import backends
from tests.support.blocks import blocks
from tests.support.plugins import write_plugin
from tests.support.servers import wait_for
from tests.support.terminal import WHOLE, Terminal

# A training that ends once a file is there.
GATED = """
import time
from pathlib import Path

from fastapi import APIRouter

from common.plugins import BaseDefinition, Plugin, param

router = APIRouter(prefix="/gated")


class Training(BaseDefinition):
    gate: str = param(title="Gate", description="It ends when this file is there.")


def train(context, request):
    context.progress(0.1, "waiting")
    while not Path(request.gate).exists():
        context.check_cancelled()
        time.sleep(0.05)
    context.publish({"figures.json": b"[1]"}, {"rmse": 1.0})


plugin = Plugin(train=train, train_request=Training)
"""
FILE = b"Country Code,2000\nFJI,1\n"
# Waits that are minutes in production.
QUICK = {"SERVICE_MODEL": "gated", "JOB_HEARTBEAT_S": "0.5", "JOB_STALL_S": "3", "JOB_TICK_S": "1", "JOB_LEASE_S": "5"}


def commands(section: str) -> list[str]:
    """Those of a section, in their order."""
    text = (Path(__file__).parents[2] / "docs/backup.md").read_text(encoding="utf-8")
    first = text[: text.index(f"\n## {section}\n")].count("\n")
    last = first + text.split(f"\n## {section}\n")[1].split("\n## ")[0].count("\n") + 3
    return [block.text for block in blocks("sh") if block.page == "backup.md" and first < block.line < last]


@pytest.fixture(params=["On one machine", "PostgreSQL and a share that is mounted"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Terminal, str]]:
    section = str(request.param)
    if section == "On one machine":
        terminal = Terminal(tmp_path / "reader", QUICK)
        yield terminal, section
        terminal.leave()
        return
    with backends.postgresql() as url:
        share = tmp_path / "mounted"
        more = {"DATABASE_URL": f"{url}/before", "SHARE": str(share), "FILE_SHARE": str(share)}
        make_database(more["DATABASE_URL"])
        terminal = Terminal(tmp_path / "reader", {**QUICK, **more})
        yield terminal, section
        terminal.leave()


def make_database(url: str) -> None:
    place, _, name = url.rpartition("/")
    with psycopg.connect(f"{place}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())


def destroy(terminal: Terminal) -> None:
    """As a machine that is lost: nothing is written any more, and nothing is left."""
    assert terminal.server is not None
    terminal.server.kill()
    shutil.rmtree(terminal.state)
    if "SHARE" in terminal.variables:
        shutil.rmtree(terminal.variables["SHARE"])
        terminal.variables["DATABASE_URL"] = terminal.variables["DATABASE_URL"].replace("/before", "/after")
        make_database(terminal.variables["DATABASE_URL"])
    terminal.state.mkdir()


def test_what_was_there_is_there_again_and_a_job_that_ran_goes_on(place: tuple[Terminal, str]) -> None:
    terminal, section = place
    backup, restore = commands(section)
    write_plugin(terminal.folder / "models", "gated", GATED)
    opened, shut = terminal.folder / "opened", terminal.folder / "shut"
    opened.touch()
    server = terminal.serve()
    assert server.client.put("/datasets/mine/data.csv", content=FILE).status_code == 201
    key = server.post("/keys", json={"name": "kept", "scopes": ["predict"]}).json()["key"]
    done = server.post("/gated/train", json={"gate": str(opened)}).json()["id"]
    wait_for(lambda: server.get(f"/jobs/{done}").json()["state"] == "succeeded", "a version")
    before = server.get("/registry/gated/versions/1").json()
    runs = server.post("/gated/train", json={"gate": str(shut)}).json()["id"]
    wait_for(lambda: server.get(f"/jobs/{runs}").json()["state"] == "running", "the training to begin")

    terminal.run(backup)
    lost = server.post("/gated/train", json={"gate": str(opened)}).json()["id"]
    destroy(terminal)
    terminal.run(restore)

    server = terminal.serve()
    assert server.get("/datasets/mine/data.csv").content == FILE
    assert server.get("/registry/gated/versions/1").json() == before
    assert server.get("/keys/self", headers={"X-API-Key": key}).json()["name"] == "kept"
    assert server.get(f"/jobs/{lost}").status_code == 404
    (checks,) = commands("Is it whole?")
    terminal.run(checks)

    shut.touch()
    wait_for(lambda: server.get(f"/jobs/{runs}").json()["state"] == "succeeded", "the end of the training that ran")
    assert len(server.get("/registry/gated").json()["versions"]) == 2


def test_every_command_of_the_page_is_run_or_listed() -> None:
    run = [text for title in ("On one machine", "PostgreSQL and a share that is mounted") for text in commands(title)]
    run += commands("Is it whole?")
    left = tuple(key.removesuffix(WHOLE) for key in BLOCKS["backup.md"])
    shown = [block.text for block in blocks("sh") if block.page == "backup.md"]
    assert sorted(text for text in shown if text not in run) == sorted(text for text in shown if text.startswith(left))
    assert len(run) == 5
