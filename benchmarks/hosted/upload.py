"""A model of a gigabyte on its way in: the memory of the process that takes it."""

import http.client
import threading
import time
from pathlib import Path

from benchmarks.hosted.atoll import serving
from benchmarks.hosted.bench import Bench
from benchmarks.hosted.files import marked
from benchmarks.report import Fact, NotMeasured, Reach

_BYTES, _QUICK_BYTES = 1_000_000_000, 100_000_000
_MOST_GROWN_BYTES = 64_000_000


def measure(bench: Bench) -> None:
    state = bench.folder()
    state.mkdir(parents=True)
    size = _QUICK_BYTES if bench.is_quick else _BYTES
    path = marked(state / "large.onnx", 1, size)
    # The check of a gigabyte takes several of them, in a process of its own.
    limits = {"MODEL_CHECK_MEMORY_BYTES": 8 * size, "MAX_MODEL_BYTES": 2 * size, "MODEL_POOL_BYTES": 2 * size}
    with serving(bench, state, **{name: str(size) for name, size in limits.items()}) as server:
        process = server.serving()[0]
        over, most, before = threading.Event(), [0], process.memory_info().rss

        def look() -> None:
            while not over.wait(0.02):
                most[0] = max(most[0], process.memory_info().rss)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            began = time.perf_counter()
            status, told = _send(server.port, path)
            took_s = time.perf_counter() - began
        finally:
            over.set()
            looking.join()
    if status != 201:
        raise NotMeasured(f"the upload was answered {status}: {told[:300]!r}")
    title = f"upload of {path.stat().st_size / 1e6:,.0f} MB"
    grown = (most[0] - before) / 1e6
    bench.report.add(
        Fact(title, "grown", "memory of the server grew by", grown, "MB", Reach(_MOST_GROWN_BYTES / 1e6)),
        Fact(title, "took", "sent, checked and published in", took_s, "s", decimals=1),
    )


def _send(port: int, path: Path) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    with path.open("rb") as file:
        connection.request(
            "POST",
            "/hosted/models/large?filename=large.onnx",
            body=file,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)},
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
