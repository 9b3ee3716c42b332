"""`atoll bench`: how fast a route answers, asked by a few users at once."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli import completing
from common.cli.predict import read_body
from common.cli.remote import FAILED, AsJson, Url, connected, ended, is_watched, print_json, print_table, prints_json

if TYPE_CHECKING:
    from common.cli.load import Tally, Target
    from common.client import Client


def bench(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Name of the model, or a path like /health/live.", autocompletion=completing.models
        ),
    ],
    body: Annotated[
        str | None,
        typer.Option(
            "--body", "-d", metavar="BODY", help="JSON, @FILE, or -. By default the model's own example; a path is got."
        ),
    ] = None,
    users: Annotated[int, typer.Option("--users", "-u", min=1, max=256, help="Who ask at once.")] = 4,
    seconds: Annotated[float, typer.Option("--seconds", "-s", min=0.1, max=600, help="How long.")] = 5.0,
    is_fresh: Annotated[bool, typer.Option("--fresh", help="Have every answer computed, none kept.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=240, help="Seconds to wait for an answer.")
    ] = 30.0,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Put a small load on a route, and measure its answers.

    Each user asks again as soon as it has its answer (a closed loop), over a connection of its own. Latencies are those
    of answers without an error; after an error a user waits a tenth of a second. Exit code 1 if there was one. Only
    measure servers that you may load.

    \b
    Examples:
      atoll bench sample
      atoll bench sample --body '{"requiredField": "Ada"}' --users 16 --seconds 10 --fresh
      atoll bench /health/live --json | jq .latency_ms.p99
    """
    import asyncio

    from common.cli.load import Tally, put

    content = None if body is None else read_body(body, "--body")
    tally = Tally()
    with connected(context, url) as client:
        path, content = _asked(client, target, content)
        aim = _aim(client, path, content, is_fresh, timeout_s)
        _ask_once(client, path, content)
        is_over = False
        with contextlib.suppress(KeyboardInterrupt), _bar(seconds, tally) as tick:
            asyncio.run(put(aim, tally, users, seconds, tick))
            is_over = True
        address = client.url
    told = {"url": f"{address}{path}", "method": _method(content), "users": users, **tally.report()}
    if prints_json(context, as_json):
        print_json(told)
    else:
        _print(told)
    if tally.errors or not is_over:
        raise typer.Exit(FAILED)


def _asked(client: "Client", target: str, body: bytes | None) -> tuple[str, bytes | None]:
    """Path and body."""
    if target.startswith("/"):
        return target, body
    from common.client.routes import route_of

    path = route_of(client.models(), target, "predict")
    if body is not None:
        return path, body
    import orjson

    operation = client.run(client.flows.get("/openapi.json"))["paths"].get(path, {}).get("post", {})
    example = _example(operation)
    if example is None:
        raise typer.BadParameter(f"{target} has no example; give a body", param_hint="--body")
    return path, orjson.dumps(example)


def _example(operation: dict[str, Any]) -> Any:
    """The first example of a JSON body in OpenAPI."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    named: dict[str, Any] = next(iter(content.get("examples", {}).values()), {})
    return named.get("value", content.get("example"))


def _method(body: bytes | None) -> str:
    return "GET" if body is None else "POST"


def _aim(client: "Client", path: str, body: bytes | None, is_fresh: bool, timeout_s: float) -> "Target":
    from common.cli.load import Target
    from common.client import connection

    headers = dict(connection.options(client.url, None, timeout_s)["headers"])
    headers |= {} if body is None else {"Content-Type": "application/json"}
    headers |= {"Cache-Control": "no-cache"} if is_fresh else {}
    try:
        return Target.of(client.url, _method(body), path, headers, body, timeout_s)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="MODEL") from None


def _ask_once(client: "Client", path: str, body: bytes | None) -> None:
    """One refusal is told at once, and not counted a thousand times."""
    from common.client.calls import Call, Repeat

    headers = {} if body is None else {"Content-Type": "application/json"}
    answer = client.run(
        client.flows.send(Call(_method(body), path, headers=headers, body=body, repeat=Repeat.UNLESS_SLOW))
    )
    if answer.status == 202:
        raise ended("the server queues this request, so its answers cannot be measured; ask for less", FAILED)


@contextlib.contextmanager
def _bar(seconds: float, tally: "Tally") -> Iterator[Callable[[float], object]]:
    """A bar on standard error for people, nothing for programs."""
    if not is_watched():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("measuring"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=seconds, told="")

        def tick(elapsed_s: float) -> None:
            rate = tally.requests / tally.elapsed_s if tally.elapsed_s else 0.0
            wrong = f"  {tally.errors} errors" if tally.errors else ""
            bar.update(task, completed=elapsed_s, told=f"{rate:,.0f}/s{wrong}")

        yield tick


def _print(told: dict[str, Any]) -> None:
    latency = told["latency_ms"]
    rows: list[list[object]] = [
        ["users", told["users"]],
        ["requests", f"{told['requests']:,} in {told['elapsed_s']:.1f} s"],
        ["rate", f"{told['rate_per_s']:,.1f} /s"],
        *([name, f"{value:,.2f} ms"] for name, value in (latency or {}).items()),
        ["cache hits", f"{told['cache_hits']:,}"],
        ["received", f"{told['received_bytes'] / 1024:,.0f} KiB"],
        ["errors", ", ".join(f"{kind}: {number:,}" for kind, number in told["errors"].items()) or "none"],
    ]
    print_table([told["method"], told["url"]], rows)
