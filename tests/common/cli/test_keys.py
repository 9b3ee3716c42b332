"""`atoll keys`, against a server that asks for keys and against a database."""

import asyncio
import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.client import AsyncClient, AtollClientError, Client
from tests.support.servers import CHECKOUT, Server, environment, free_port, run_cli

ADMIN_KEY = "an-admin-key-of-more-than-32-characters"
KEY = re.compile(r"atl_[0-9a-z]{12}_[A-Za-z0-9_-]{43}")
Run = subprocess.CompletedProcess[str]
Atoll = Callable[..., Run]


@pytest.fixture(scope="module")
def closed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {"SERVICE_MODEL": "sample", "ANONYMOUS_SCOPES": "none", "ATOLL_ADMIN_KEY": ADMIN_KEY}
    server = Server(tmp_path_factory.mktemp("closed"), env=env, ready=False)
    yield server
    server.stop()


@pytest.fixture
def atoll(tmp_path: Path) -> Atoll:
    """Runs the command line with a state folder of its own, its output in a pipe."""

    def run(*arguments: str, **env: str) -> Run:
        return run_cli(tmp_path, *arguments, env=env)

    return run


@pytest.fixture
def remote(atoll: Atoll, closed_server: Server) -> Atoll:
    def run(*arguments: str, key: str = ADMIN_KEY) -> Run:
        return atoll(*arguments, ATOLL_URL=closed_server.url, ATOLL_KEY=key)

    return run


@pytest.fixture
def admin(closed_server: Server) -> Iterator[Client]:
    with Client(closed_server.url, ADMIN_KEY) as client:
        yield client


def terminal(state: Path, *arguments: str) -> str:
    """What stands in a terminal after the command."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "common.cli", *arguments],
        cwd=CHECKOUT,
        env=environment(state, {"TERM": "xterm"}),
        stdin=subprocess.DEVNULL,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(main, 4096):
            shown += part
    os.close(main)
    assert process.wait(60) == 0, shown.decode()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def answer(run: Run) -> Any:
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_key_is_made_shown_and_revoked_on_a_server(remote: Atoll, closed_server: Server) -> None:
    made = answer(remote("keys", "create", "ci", "--scope", "predict", "--scope", "train", "--expires", "90d"))
    assert KEY.fullmatch(made["key"])
    assert (made["scopes"], made["created_by"]) == (["predict", "train"], "key:admin")
    self = answer(remote("keys", "show", key=made["key"]))
    assert (self["id"], self["name"]) == (f"key:{made['id']}", "ci")
    # By whatever of it is at hand; its secret is not sent along.
    revoked = answer(remote("keys", "revoke", made["key"]))
    assert revoked["state"] == "revoked"
    assert made["key"][17:] not in closed_server.log
    assert made["id"] not in remote("keys", "list").stdout
    assert made["id"] in remote("keys", "list", "--all").stdout
    assert answer(remote("keys", "show", made["prefix"])) == revoked
    refused = remote("keys", "show", key=made["key"])
    assert refused.returncode == 1
    assert "was revoked at" in refused.stderr


def test_without_a_key_the_way_back_in_is_told(remote: Atoll) -> None:
    run = remote("keys", "list", key="")
    assert run.returncode == 1
    assert "401" in run.stderr
    assert "--local needs no key; put yours into ATOLL_KEY" in run.stderr
    assert "ATOLL_KEY" not in remote("keys", "list", key="wrong").stderr


def test_whoever_has_a_shell_makes_keys_without_a_server_and_a_key(atoll: Atoll) -> None:
    run = atoll("keys", "create", "rescue", "--scope", "admin", "--local", "--quiet", "--url", "http://127.0.0.1:1")
    assert KEY.fullmatch(run.stdout.strip())
    assert "atoll.db" in run.stderr
    [listed] = answer(atoll("keys", "list", "--local"))
    assert (listed["name"], listed["scopes"], listed["created_by"][:6]) == ("rescue", ["admin"], "shell:")
    assert answer(atoll("keys", "show", listed["id"], "--local")) == listed
    # The last one: whoever can do this makes another whenever they like.
    assert answer(atoll("keys", "revoke", listed["id"], "--local"))["state"] == "revoked"
    assert answer(atoll("keys", "list", "--local")) == []


def test_a_key_made_in_the_database_opens_the_server_of_it(atoll: Atoll, closed_server: Server, tmp_path: Path) -> None:
    run = atoll("keys", "create", "rescue", "--local", "-q", ATOLL_STATE=str(closed_server.log_file.parent))
    with Client(closed_server.url, run.stdout.strip()) as client:
        assert client.whoami()["name"] == "rescue"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("create", "x", "--scope", "root", "--local"), 1, "'predict', 'train', 'submit' or 'admin'"),
        (("create", "x", "--model", "nope", "--local"), 1, "there is no model 'nope'; there are"),
        (("create", "x", "--expires", "2020-01-01", "--local"), 1, "has passed"),
        (("create", "x", "--expires", "soon", "--local"), 2, "is no end"),
        (("create", "x", "--expires", "9999999999w", "--local"), 2, "is no end"),
        (("create", "--local"), 2, "NAME"),
        (("show", "--local"), 2, "--local needs one"),
        (("revoke", "0123456789ab", "--local"), 1, "there is no key atl_0123456789ab"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(atoll: Atoll, arguments: tuple[str, ...], code: int, told: str) -> None:
    run = atoll("keys", *arguments)
    assert run.returncode == code
    assert told in " ".join(run.stderr.replace("│", " ").split())
    assert "Traceback" not in run.stderr


def test_a_database_that_is_away_is_told(atoll: Atoll) -> None:
    run = atoll("keys", "list", "--local", DATABASE_URL=f"postgresql://me:secret@127.0.0.1:{free_port()}/atoll")
    assert run.returncode == 1
    assert "cannot be used" in run.stderr
    assert "secret" not in run.stderr


def test_in_a_terminal_people_see_the_key_and_tables(tmp_path: Path) -> None:
    made = terminal(tmp_path, "keys", "create", "my laptop", "--model", "sample", "--expires", "1w", "--local")
    key = KEY.search(made)
    assert key is not None
    assert "the only time it is shown. 'my laptop' may predict (sample only) until" in made
    listed = terminal(tmp_path, "keys", "list", "--local")
    assert "LAST USED" in listed
    assert key[0][:16] in listed
    shown = terminal(tmp_path, "keys", "show", key[0][:16], "--local")
    assert re.search(r"state +active", shown)
    assert re.search(rf"{key[0][:16]} +my laptop +revoked", terminal(tmp_path, "keys", "revoke", key[0], "--local"))


def test_the_client_makes_lists_and_revokes_keys(admin: Client, closed_server: Server) -> None:
    made = admin.create_key("from Python", scopes=["train"], models=["sample"], expires_in_days=1)
    assert admin.key(made["key"]) == {name: value for name, value in made.items() if name != "key"}
    assert made["id"] in [key["id"] for key in admin.list_keys()]
    with Client(closed_server.url, made["key"]) as client:
        assert client.whoami()["scopes"] == ["train"]
        with pytest.raises(AtollClientError) as caught:
            client.create_key("more")
    assert caught.value.status == 403
    assert admin.revoke_key(made["id"]) == admin.revoke_key(made["prefix"])
    assert made["id"] not in [key["id"] for key in admin.list_keys()]
    assert made["id"] in [key["id"] for key in admin.list_keys(with_revoked=True)]


async def _awaited(url: str) -> None:
    async with AsyncClient(url, ADMIN_KEY) as admin:
        assert (await admin.whoami())["id"] == "key:admin"
        made = await admin.create_key("awaited")
        assert made["scopes"] == ["predict"]
        assert (await admin.key(made["id"]))["name"] == "awaited"
        assert made["id"] in [key["id"] async for key in admin.list_keys()]
        assert (await admin.revoke_key(made["id"]))["state"] == "revoked"


def test_all_of_it_can_be_awaited(closed_server: Server) -> None:
    asyncio.run(_awaited(closed_server.url))
