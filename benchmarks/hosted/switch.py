"""The version that serves is changed under load: errors, and answers that are not of the version they name."""

import asyncio
import json
import time
from collections import Counter

from benchmarks.hosted.atoll import Caller, serving
from benchmarks.hosted.bench import Bench
from benchmarks.hosted.files import Shelf, marked
from benchmarks.report import Fact, Reach

_VERSIONS, _CALLERS = 5, 8


def measure(bench: Bench) -> None:
    state = bench.folder()
    shelf = Shelf(state)
    for number in range(1, _VERSIONS + 1):
        shelf.publish("marked", marked(state / "made.onnx", number), default=number == 1)
    with serving(bench, state) as server:
        answers, switches, late_s = asyncio.run(_switched(server.port, bench.seconds * 5))
    title = f"{switches} switches under c={_CALLERS}"
    errors = sum(count for (status, *_), count in answers.items() if status != 200)
    wrong = sum(count for (status, named, mark), count in answers.items() if status == 200 and named != mark)
    bench.report.add(
        Fact(title, "requests", "requests", sum(answers.values())),
        Fact(title, "errors", "errors", errors, "", Reach(0, "value")),
        Fact(title, "wrong", "answers not of the version that they name", wrong, "", Reach(0, "value")),
        Fact(title, "versions", "versions that answered", len({named for _, named, _ in answers}), ""),
        Fact(title, "late", "longest time from a switch to its first answer", late_s * 1e3, "ms", Reach(1000, "value")),
    )


async def _switched(port: int, seconds: float) -> tuple[Counter[tuple[int, str, str]], int, float]:
    answers: Counter[tuple[int, str, str]] = Counter()
    seen: dict[str, float] = {}
    over = asyncio.Event()

    async def caller() -> None:
        async with Caller(port) as asking:
            while not over.is_set():
                status, body, _ = await asking.infer("hosted.marked")
                told = json.loads(body) if status == 200 else {}
                mark = str(int(told["outputs"][0]["data"][0])) if told else ""
                answers[status, str(told.get("model_version", "")), mark] += 1
                seen[mark] = time.perf_counter()

    callers = [asyncio.create_task(caller()) for _ in range(_CALLERS)]
    end_s, switches, late_s = time.perf_counter() + seconds, 0, 0.0
    async with Caller(port) as switching:
        while time.perf_counter() < end_s:
            target = switches % _VERSIONS + 1
            began = time.perf_counter()
            body = json.dumps({"default": target}).encode()
            head = (
                "POST /hosted/models/marked/default HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            status, told, _ = await switching.send(head.encode() + body)
            assert status == 200, told
            while seen.get(str(target), 0.0) < began:  # noqa: ASYNC110 - it is looked at between the answers
                await asyncio.sleep(0.001)
            late_s = max(late_s, seen[str(target)] - began)
            switches += 1
            await asyncio.sleep(0.05)
    over.set()
    await asyncio.gather(*callers)
    return answers, switches, late_s
