"""A client that closes its connection while its item waits for a batch."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.plugins import write_plugin
from tests.support.servers import Server, wait_for

# One item at a time, one that waits; each runs until the file `go` is there.
SOURCE = """
    import time
    from pathlib import Path
    from fastapi import APIRouter, Request
    from fastapi.responses import Response
    from common.plugins import BaseDefinition, Batching, Plugin
    from common.serving import answer_items

    router = APIRouter(prefix="/held")
    here = Path(__file__).parent
    asked, ran = [], []


    class Word(BaseDefinition):
        word: str


    def run(words):
        ran.extend(words)
        while not (here / "go").exists():
            time.sleep(0.01)
        return words


    @router.post("/predict")
    async def predict(body: Word, request: Request) -> Response:
        asked.append(body.word)
        return await answer_items(request, "held", [body.word])


    @router.get("/seen")
    async def seen() -> dict[str, list[str]]:
        return {"asked": asked, "ran": ran}


    plugin = Plugin(predict_batch=Batching(run, max_items=1, queue_cost=1))
"""


def send(server: Server, word: str) -> socket.socket:
    """A request whose answer nobody reads yet."""
    body = b'{"word": "%s"}' % word.encode()
    url = httpx.URL(server.url)
    assert url.port is not None
    connection = socket.create_connection((url.host, url.port), 10)
    head = f"POST /held/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
    return connection


def ask(server: Server, word: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.post("/held/predict", json={"word": word}, headers=named)


def seen(server: Server) -> dict[str, list[str]]:
    found: dict[str, list[str]] = server.get("/held/seen").json()
    return found


@pytest.fixture
def server(tmp_path: Path, start_server: Callable[..., Server]) -> Iterator[Server]:
    """Runs one item, and has a second in its queue, which is then full."""
    folder = write_plugin(tmp_path, "held", SOURCE)
    server = start_server(env={"SERVICE_MODEL": "held", "ATOLL_PLUGIN_PATH": str(folder), "PREDICT_THREADS": "1"})
    with send(server, "runs"):
        wait_for(lambda: seen(server)["ran"] == ["runs"], "the first item to run")
        yield server
        go(tmp_path)


def go(folder: Path) -> None:
    (folder / "held" / "go").touch()


def leave(server: Server) -> None:
    """A caller waits for its turn, and goes away."""
    with send(server, "leaves"):
        wait_for(lambda: "leaves" in seen(server)["asked"], "another one to be asked")
        assert ask(server, "refused").status_code == 503
    server.wait_for_log('"status": ?499')


def test_what_nobody_waits_for_is_not_run(server: Server, tmp_path: Path) -> None:
    leave(server)
    go(tmp_path)
    wait_for(lambda: ask(server, "stays").status_code == 200, "an answer to the one that stays")
    assert seen(server)["ran"] == ["runs", "stays"]


def test_its_place_in_a_full_queue_is_anothers_at_once(server: Server) -> None:
    leave(server)
    # Refused for its time, not for the queue: the first item still runs.
    assert "X-Timeout-Ms" in ask(server, "waits", X_Timeout_Ms="20").text
