"""What it costs to know who calls: CPU time of a request without security, and with a key or a token.

One process, the whole app, no socket: requests go to it as uvicorn would put them. The kinds of request take turns in
random order, and differences are those within a turn, so that a busy machine disturbs all alike. CPU time is that of
the process, which others do not add to. With `--server` the same through a real server, beside requests without a key.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from benchmarks import machine
from benchmarks.client import Client
from benchmarks.server import Server
from common.app import create_app
from common.security.authenticate import Authenticate
from common.security.authorise import Authorise
from common.security.keys.definitions import KeyDraft
from common.security.principal import Principal
from common.security.scopes import Scope
from common.settings import (
    LimitSettings,
    OidcSettings,
    PluginSettings,
    SecuritySettings,
    Settings,
    StorageSettings,
)
from tests.support.issuer import AUDIENCE, Issuer, sign

# One that keeps nothing.
PATH = "/sample_model/test_endpoint1"
BODY = json.dumps({"requiredField": "benchmark"}).encode()
# The most that a request may cost more than one to the app without security, in microseconds.
REACH = {"key": 40.0, "token seen before": 60.0}
NAMES = (
    "without security",
    "no credential",
    "key",
    "token seen before",
    "token not seen before",
    "key, with rate limits",
)
ASKING = {Authenticate.__name__, Authorise.__name__}
BASE = NAMES[0]
WARM = 100
# Requests of a turn.
SKIPPED, COUNTED = 5, 15
# Turns, and requests of each kind in one.
SERVER_BLOCKS = (100, 40)


@dataclass
class Case:
    """A kind of request: what is asked, and what credential goes along, a new one each time where there are several."""

    app: ASGIApp
    credentials: Iterator[str | None]


def build(state: Path, issuer: Issuer, *, limited: bool = False) -> FastAPI:
    """The app with the sample plugin, open to all, so that each case gets the same answer."""
    return create_app(
        Settings(
            plugins=PluginSettings(service_model=("sample",)),
            storage=StorageSettings(state_dir=state),
            security=SecuritySettings(anonymous_scopes=frozenset({Scope.PREDICT})),
            oidc=OidcSettings(issuer=issuer.url, audience=(AUDIENCE,)),
            limits=LimitSettings(rate_per_s=1e6 if limited else 0, burst=1_000_000),
        )
    )


def without_security(app: FastAPI) -> FastAPI:
    """The same app before anybody asked who calls."""
    before = len(app.user_middleware)
    app.user_middleware = [item for item in app.user_middleware if item.cls.__name__ not in ASKING]  # type: ignore[attr-defined]  # a class, which its protocol does not say
    assert len(app.user_middleware) == before - len(ASKING)
    return app


def new_key(app: FastAPI) -> str:
    by = Principal("benchmark", "system", frozenset(Scope))
    text, _ = app.state.runtime.keys.service.create(KeyDraft(name="benchmark"), by=by)
    return str(text)


def tokens(issuer: Issuer, count: int) -> list[str]:
    """Different tokens, of the size that Entra ID's have."""
    more: dict[str, Any] = {
        "tid": "t" * 36,
        "oid": "o" * 36,
        "azp": "a" * 36,
        "uti": "u" * 22,
        "rh": "r" * 80,
        "name": "Benchmark",
    }
    return [sign(issuer.claims(jti=str(number), **more)) for number in range(count)]


async def ask(app: ASGIApp, credential: str | None) -> int:
    """One request; its status."""
    headers = [
        (b"host", b"127.0.0.1:7071"),
        (b"user-agent", b"benchmark/1"),
        (b"accept", b"*/*"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
    ]
    if credential is not None:
        headers.append((b"authorization", b"Bearer " + credential.encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "server": ("127.0.0.1", 7071),
        "client": ("127.0.0.1", 50000),
        "state": {},
    }
    status = 0
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    await app(scope, receive, send)
    return status


async def one(case: Case) -> float:
    """Microseconds of CPU of one request."""
    credential = next(case.credentials)
    began_ns = time.process_time_ns()
    status = await ask(case.app, credential)
    took_ns = time.process_time_ns() - began_ns
    assert status == 200, status
    return took_ns / 1000


async def measure(cases: dict[str, Case], turns: int) -> dict[str, list[float]]:
    """For each case and turn the median of a few requests in a row, after others that warm the caches of the CPU."""
    for case in cases.values():
        for _ in range(WARM):
            await one(case)
    found: dict[str, list[float]] = {name: [] for name in cases}
    order = list(cases)
    for _ in range(turns):
        random.shuffle(order)
        for name in order:
            took_us = [await one(cases[name]) for _ in range(SKIPPED + COUNTED)]
            found[name].append(statistics.median(took_us[SKIPPED:]))
    return found


def always(credential: str | None) -> Iterator[str | None]:
    while True:
        yield credential


def in_process(turns: int) -> dict[str, list[float]]:
    issuer = Issuer()
    fresh = tokens(issuer, turns * (SKIPPED + COUNTED) + WARM + 1)
    try:
        with tempfile.TemporaryDirectory() as folder, quiet():
            bare = without_security(build(Path(folder, "bare"), issuer))
            app = build(Path(folder, "app"), issuer)
            limited = build(Path(folder, "limited"), issuer, limited=True)
            key, limited_key = new_key(app), new_key(limited)
            cases = dict(
                zip(
                    NAMES,
                    (
                        Case(bare, always(None)),
                        Case(app, always(None)),
                        Case(app, always(key)),
                        Case(app, always(fresh.pop())),
                        Case(app, iter(fresh)),
                        Case(limited, always(limited_key)),
                    ),
                    strict=True,
                )
            )
            return asyncio.run(measure(cases, turns))
    finally:
        issuer.close()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Log as a server does, to nowhere: the line of a request belongs to what it costs."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def through_a_server(turns: int, count: int) -> dict[str, list[float]]:
    """Microseconds of CPU of a real server for one request, by the same cases but the first."""
    issuer = Issuer()
    fresh = tokens(issuer, count * turns + 1)
    state = tempfile.TemporaryDirectory()
    try:
        with quiet():
            key = new_key(build(Path(state.name), issuer))
        settings = {
            "SERVICE_MODEL": "sample",
            "ANONYMOUS_SCOPES": "predict",
            "OIDC_ISSUER": issuer.url,
            "OIDC_AUDIENCE": AUDIENCE,
            "RATE_LIMIT_PER_S": "0",
            "ATOLL_ROLES": "http",
        }
        with Server(Path(state.name), Path(state.name), settings=settings) as server, Client(server.port) as client:
            sources = dict(zip(NAMES[1:5], (always(None), always(key), always(fresh.pop()), iter(fresh)), strict=True))
            found: dict[str, list[float]] = {name: [] for name in sources}
            order = list(sources)
            for _ in range(turns):
                random.shuffle(order)
                for name in order:
                    headers = [bearer(next(sources[name])) for _ in range(count)]
                    began_ns = used_ns(server)
                    for given in headers:
                        assert client.post(PATH, BODY, headers=given).status == 200
                    found[name].append((used_ns(server) - began_ns) / 1000 / count)
            return found
    finally:
        issuer.close()
        state.cleanup()


def used_ns(server: Server) -> int:
    """CPU time of the server's event loop so far: its main thread, which a server that waits has left up to date."""
    return int(Path(f"/proc/{server.serving()[0].pid}/schedstat").read_text().split()[0])


def bearer(credential: str | None) -> dict[str, str]:
    return {} if credential is None else {"Authorization": f"Bearer {credential}"}


def table(found: dict[str, list[float]], base: str) -> list[str]:
    """A row a case: CPU, and how much more than the base, the median of the differences within a turn."""
    reaches = REACH if base == BASE else {}
    lines = ["| request | CPU | more | reach | |", "|---|--:|--:|--:|---|"]
    for name, values in found.items():
        more_us = statistics.median(value - other for value, other in zip(values, found[base], strict=True))
        reach_us = reaches.get(name)
        cells = [name, f"{statistics.median(values):.0f} µs", "" if name == base else f"{more_us:.0f} µs"]
        cells.append("" if reach_us is None else f"{reach_us:.0f} µs")
        cells.append("" if reach_us is None else "PASS" if more_us <= reach_us else "MISS")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.security", description=__doc__)
    parser.add_argument("--turns", type=int, default=150, help="of each kind of request, 20 in each (default 150)")
    parser.add_argument("--server", action="store_true", help="through a real server too")
    parser.add_argument("--strict", action="store_true", help="end with 1 if a reach is missed")
    options = parser.parse_args(arguments)
    print(*(f"- {name}: {text}" for name, text in machine.facts().items()), sep="\n")
    lines = table(in_process(options.turns), BASE)
    print("", *lines, sep="\n")
    if options.server:
        print("", *table(through_a_server(*SERVER_BLOCKS), NAMES[1]), sep="\n")
    return 1 if options.strict and any("MISS" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
