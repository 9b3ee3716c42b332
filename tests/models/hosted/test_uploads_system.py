"""Uploads to real servers: one that is killed in the middle, one that is larger than the memory it may take."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.support.onnx_models import add
from tests.support.servers import Server, wait_for

ONLY = {"SERVICE_MODEL": "hosted"}
LARGE_BYTES = 300_000_000


def uploads(folder: Path) -> list[Path]:
    found = folder / "cache" / "uploads"
    return list(found.iterdir()) if found.is_dir() else []


def begin_upload(server: Server, sent_bytes: int) -> socket.socket:
    """Sends the beginning of an upload, which goes on as long as the socket is open."""
    parts = urlsplit(server.url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0))
    head = f"POST /hosted/models/iris HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 100000000\r\n\r\n"
    connection.sendall(head.encode() + bytes(sent_bytes))
    return connection


def test_a_server_killed_in_the_middle_of_an_upload_shows_nothing_of_it(
    tmp_path: Path, start_server: Callable[..., Server]
) -> None:
    state = tmp_path / "state"
    env = ONLY | {"ATOLL_STATE": str(state)}
    server = start_server(env=env)
    connection = begin_upload(server, 3_000_000)
    wait_for(lambda: any(path.stat().st_size for path in uploads(state)), "the upload's file")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    connection.close()
    (left,) = uploads(state)
    # As old as it would be if somebody had gone away over night.
    os.utime(left, (time.time() - 3600, time.time() - 3600))
    again = start_server(env=env)
    assert again.get("/hosted/models").json() == []
    assert uploads(state) == []


def test_an_upload_under_way_is_not_taken_for_a_leftover(tmp_path: Path, start_server: Callable[..., Server]) -> None:
    state = tmp_path / "state"
    server = start_server(env=ONLY | {"ATOLL_STATE": str(state)})
    connection = begin_upload(server, 3_000_000)
    wait_for(lambda: any(path.stat().st_size for path in uploads(state)), "the upload's file")
    (waiting,) = uploads(state)
    os.utime(waiting, (time.time() - 3600, time.time() - 3600))
    # Another process of the same machine looks for leftovers.
    start_server(env=ONLY | {"ATOLL_STATE": str(state)})
    made = server.post("/hosted/models/iris", content=add(tmp_path / "iris.onnx", 1).read_bytes())
    assert made.status_code == 201, made.text
    assert uploads(state) == [waiting]
    connection.close()
    wait_for(lambda: not uploads(state), "the upload to be given up")


def test_a_caller_that_goes_away_leaves_nothing(tmp_path: Path, start_server: Callable[..., Server]) -> None:
    state = tmp_path / "state"
    server = start_server(env=ONLY | {"ATOLL_STATE": str(state)})
    connection = begin_upload(server, 3_000_000)
    wait_for(lambda: any(path.stat().st_size for path in uploads(state)), "the upload's file")
    connection.close()
    wait_for(lambda: not uploads(state), "the file to be removed")
    assert server.get("/hosted/models").json() == []


def test_the_memory_of_a_server_stays_flat_however_large_an_upload_is(start_server: Callable[..., Server]) -> None:
    server = start_server(env=ONLY | {"MAX_MODEL_BYTES": str(2 * LARGE_BYTES)})
    server.post("/hosted/models/large", content=b"no model")
    process = psutil.Process(server.process.pid)
    before, highest = process.memory_info().rss, 0

    def zeros() -> Iterator[bytes]:
        nonlocal highest
        for _ in range(LARGE_BYTES // 1_000_000):
            highest = max(highest, process.memory_info().rss)
            yield bytes(1_000_000)

    # It is no model, and is refused; by then all of it has arrived, and was looked at.
    assert server.post("/hosted/models/large", content=zeros()).status_code == 422
    assert highest - before < LARGE_BYTES / 6
