"""Secrets planted in everything a server is given are in nothing that it writes or answers."""

import base64
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.plugins import write_plugin
from tests.support.servers import CHECKOUT, Server, environment, wait_for

# Each tells by its name where it was planted.
ADMIN = "PLANTED-admin-key-0123456789abcdefghij"
WEBHOOK = "whsec_" + base64.b64encode(b"PLANTED-callback-secret-bytes-32").decode()
SHARE_KEY = base64.b64encode(b"PLANTED-share-credential-bytes").decode()
OF_PLUGIN = "PLANTED-plugin-token/with+signs"
IN_FILE = "PLANTED-in-a-file-only"
OF_DATABASE = "PLANTED-password"
OF_KEYFILE = "PLANTED-key-password"
OF_REDIS = "PLANTED-redis-password"
OF_NOTHING = "PLANTED-other-password"
# Sent by callers, not configured.
CALLER_JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IlBMQU5URUQifQ.eyJzdWIiOiJQTEFOVEVEIn0.UExBTlRFRC1zaWduYXR1cmU"
CALLER_KEY = "atl_abcdefghjkmn_PLANTEDcallerkey0123456789012345678901234567890"
COOKIE = "PLANTED-cookie-of-a-caller"

LEAKY = """
    import os

    from fastapi import APIRouter
    from pydantic import BaseModel

    from common.errors import Conflict
    from common.plugins import Plugin
    from common.telemetry.logs import get_logger

    log = get_logger("leaky")
    router = APIRouter(prefix="/leaky")

    def quoted():
        return "; ".join(f"{name}={value}" for name, value in sorted(os.environ.items()))

    class Wanted(BaseModel):
        how: str = "raise"
        token: str = ""

    @router.post("/predict")
    async def predict(body: Wanted) -> dict[str, str]:
        log.warning("environment", values=dict(os.environ), text=quoted(), given=body.token)
        if body.how == "refuse":
            raise Conflict(quoted())
        if body.how == "raise":
            raise RuntimeError(quoted())
        if body.how == "chain":
            try:
                raise ValueError(dict(os.environ))
            except ValueError as exc:
                raise RuntimeError("outer") from exc
        return {"said": "nothing"}

    def train(request, context):
        context.log(quoted())
        print(quoted())
        context.progress(0.5, quoted())
        if request.how == "refuse":
            raise Conflict(quoted())
        if request.how == "raise":
            raise RuntimeError(quoted())
        return {"a": 1.0}

    plugin = Plugin(title="Leaky", train=train, train_request=Wanted)
"""

OVER = {"succeeded", "failed", "dead", "cancelled"}


class Planted:
    """A running server, what was planted, and all that it answered."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        secret_file = folder / "secrets" / "token"
        secret_file.parent.mkdir()
        secret_file.write_text(IN_FILE + "\n")
        webhook_file = folder / "secrets" / "webhook"
        webhook_file.write_text(WEBHOOK + "\n")
        self.secrets = {
            "ATOLL_ADMIN_KEY": ADMIN,
            "FILE_SHARE_CREDENTIAL": SHARE_KEY,
            "PLUGIN_TOKEN": OF_PLUGIN,
            "SSL_KEYFILE_PASSWORD": OF_KEYFILE,
            "PLUGIN_DATABASE_URL": f"postgresql://me:{OF_DATABASE}@db.example/x",
            "PLUGIN_REDIS_URL": f"rediss://:{OF_REDIS}@cache.example:6380/0",
            "PLUGIN_STORAGE_CONNECTION": f"AccountName=me;AccountKey={SHARE_KEY};EndpointSuffix=core.windows.net",
            "PLUGIN_PASSWORD": OF_NOTHING,
        }
        self.env = {
            **self.secrets,
            "CALLBACK_SECRET_FILE": str(webhook_file),
            "PLUGIN_KEY_FILE": str(secret_file),
            "TMPDIR": str(self.temporary),
            "ATOLL_PLUGIN_PATH": str(write_plugin(folder / "plugins", "leaky", LEAKY)),
            "SERVICE_MODEL": "leaky,sample",
            "ANONYMOUS_SCOPES": "none",
            "LOGGING_LEVEL": "DEBUG",
            "JOB_ATTEMPTS": "1",
            "JOB_TICK_S": "1",
        }
        self.answers: list[str] = []
        self.needles = needles()

    def tell(self, answer: httpx.Response) -> httpx.Response:
        self.answers.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer


def needles() -> dict[str, bytes]:
    """What to look for: each secret, and the forms in which it may be quoted."""
    found = {
        "admin key": ADMIN,
        "callback secret": WEBHOOK.removeprefix("whsec_"),
        "share credential": SHARE_KEY,
        "plugin token": OF_PLUGIN,
        "file": IN_FILE,
        "database password": OF_DATABASE,
        "key password": OF_KEYFILE,
        "redis password": OF_REDIS,
        "other password": OF_NOTHING,
        "caller's token": CALLER_JWT.rpartition(".")[2],
        "caller's key": CALLER_KEY.rpartition("_")[2],
        "cookie": COOKIE,
        # In any spelling that was not thought of: all texts above hold it, but for what is base64.
        "any": "PLANTED",
    }
    return {name: value.encode() for name, value in found.items()}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Planted, Server]]:
    """After everything that might let a secret slip."""
    found = Planted(tmp_path_factory.mktemp("planted"))
    server = Server(found.state, env=found.env, ready=False)
    try:
        provoke(found, server)
        yield found, server
    finally:
        server.stop()


def provoke(planted: Planted, server: Server) -> None:
    admin = {"Authorization": f"Bearer {ADMIN}", "Cookie": f"session={COOKIE}"}
    tell = planted.tell
    for path in (
        "/",
        "/models",
        "/params",
        "/metrics",
        "/settings",
        "/openapi.json",
        "/datasets",
        "/health/ready",
        "/docs",
    ):
        assert tell(server.get(path, headers=admin)).status_code in (200, 503), path
    made = server.post("/keys", json={"name": "planted", "scopes": ["predict", "train"]}, headers=admin)
    key = made.json()["key"]
    # The one answer that holds a key; it must be nowhere else.
    planted.needles["created key"] = key.rpartition("_")[2].encode()
    for headers in (
        {"Authorization": f"Bearer {CALLER_JWT}"},
        {"Authorization": f"Bearer {CALLER_KEY}"},
        {"X-API-Key": CALLER_KEY},
        {"Authorization": "Basic " + base64.b64encode(OF_NOTHING.encode()).decode()},
        {"Authorization": f"Bearer {ADMIN}x"},
        {"Cookie": f"session={COOKIE}"},
    ):
        tell(server.get("/models", headers=headers))
        tell(server.post("/leaky/predict", json={}, headers=headers))
    mine = {"X-API-Key": key, "Cookie": f"session={COOKIE}"}
    jobs = []
    for how in ("raise", "refuse", "chain", "succeed"):
        body = {"how": how, "token": "safe"}
        tell(server.post("/leaky/predict", json=body, headers=mine))
        queued = tell(server.post("/leaky/predict", json=body, headers={**mine, "Prefer": "respond-async"}))
        trained = tell(server.post("/leaky/train", json=body, headers=mine))
        jobs += [queued.json()["id"], trained.json()["id"]]
    tell(server.post("/leaky/predict", content=b"{", headers={**mine, "Content-Type": "application/json"}))
    tell(server.get(f"/{CALLER_JWT}", headers=mine))

    def are_over() -> bool:
        return all(server.get(f"/jobs/{job}", headers=mine).json()["state"] in OVER for job in jobs)

    wait_for(are_over, "the jobs to end")
    for job in jobs:
        for path in ("", "/result", "/logs"):
            tell(server.get(f"/jobs/{job}{path}", headers=mine))
    tell(server.get("/jobs", headers=admin))
    tell(server.get("/keys", headers=admin))
    tell(server.client.request("DELETE", f"/keys/{made.json()['id']}", headers=admin))
    tell(server.get("/models", headers=mine))
    tell(server.get("/audit?limit=500", headers=admin))
    planted.answers.append(said(planted, server))


def said(planted: Planted, server: Server) -> str:
    """What commands print, with the same settings."""
    texts = []
    for command in (
        ["settings"],
        ["--url", server.url, "audit", "--json"],
        ["audit", "--local"],
        ["keys", "list", "--local"],
        ["--url", server.url, "jobs", "list"],
        ["models"],
        ["--url", "http://me:" + OF_NOTHING + "@127.0.0.1:1", "jobs", "list"],
    ):
        run = subprocess.run(
            [sys.executable, "-m", "common.cli", *command],
            cwd=CHECKOUT,
            env=environment(planted.state, {**planted.env, "ATOLL_KEY": ADMIN}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in run.stderr, run.stderr
        texts.append(run.stdout + run.stderr)
    return "\n".join(texts)


def found_in(content: bytes, wanted: dict[str, bytes]) -> list[str]:
    return [
        f"{name} near {content[max(0, at - 80) : at + 20]!r}"
        for name, needle in wanted.items()
        if (at := content.find(needle)) >= 0
    ]


def test_the_run_did_what_might_let_a_secret_slip(planted: tuple[Planted, Server]) -> None:
    told, server = planted
    assert server.log.count("RuntimeError") >= 2
    assert "PLUGIN_PASSWORD=***" in server.log
    assert any("PLUGIN_TOKEN=***" in answer for answer in told.answers)
    database = sqlite3.connect(told.state / "atoll.db")
    try:
        states = dict(database.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
        rows = database.execute("SELECT count(*) FROM audit_log").fetchone()[0]
    finally:
        database.close()
    assert {"succeeded", "failed"} <= set(states)
    assert rows > 5


def test_no_planted_secret_is_in_any_answer_or_output_of_a_command(planted: tuple[Planted, Server]) -> None:
    told, _ = planted
    for answer in told.answers:
        assert found_in(answer.encode(), told.needles) == []


def test_no_planted_secret_is_in_any_file_that_the_run_has_written(planted: tuple[Planted, Server]) -> None:
    told, server = planted
    files = [path for folder in (told.state, told.temporary) for path in folder.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"atoll.db", "atoll.db-wal", "server.log"} <= names
    assert server.log_file in files
    leaks = {str(path): leak for path in files if (leak := found_in(path.read_bytes(), told.needles))}
    assert leaks == {}


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db")
    database.execute("CREATE TABLE t (text)")
    database.execute("INSERT INTO t VALUES (?)", (f"a {OF_PLUGIN} b",))
    database.commit()
    database.close()
    assert len(found_in((tmp_path / "x.db").read_bytes(), needles())) == 2
