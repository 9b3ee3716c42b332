"""The command: `atoll scaleout demo`, against a server (`make run`)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.remote import USAGE, Url, connected, ended, is_watched, print_json, prints_json

if TYPE_CHECKING:
    from common.client import Client
    from models.scaleout.records import Application

# Some 2 MB of JSON.
_AT_ONCE = 25
_APPLICATIONS = "/scaleout/applications"


def demo(
    context: typer.Context,
    algorithm: Annotated[str, typer.Option(help="gbt, kmeans, logisticregression or mpc.")] = "gbt",
    rows: Annotated[int, typer.Option(min=1000, help="Rows of the input that is asked about.")] = 700_000,
    target_s: Annotated[float | None, typer.Option(min=0.1, help="Wanted run time [that of a median run].")] = None,
    trials: Annotated[int, typer.Option(min=1, max=500, help="Ways to fit the model that are tried.")] = 4,
    train: Annotated[bool, typer.Option(help="Train the graph model; without it a simpler one answers.")] = True,
    picture: Annotated[Path, typer.Option(help="Where the curve is drawn.")] = Path("scaleout-demo.svg"),
    url: Url = None,
) -> None:
    """Bring in the runs that Atoll carries, train on them, and ask what a run would take. Needs a server."""
    from models.scaleout.traces import carried

    known = sorted({run.context.algorithm for run in carried()})
    if algorithm not in known:
        raise ended(f"there are runs of {', '.join(known)}; none of {algorithm!r}", USAGE)
    question = question_of(carried(), algorithm, rows, target_s)
    with connected(context, url) as client:
        bring(client)
        if train:
            _train(client, trials)
        answer = client.predict("/scaleout/predict", question)
    if not answer["curve"]:
        raise ended("no model can answer from what is known", 1)
    _show(context, answer, question, rows, picture)


def question_of(
    runs: Sequence["Application"], algorithm: str, rows: int, target_s: float | None = None
) -> dict[str, Any]:
    """What is asked about an input of so many rows, in the words of the runs of this algorithm.

    Parameters
    ----------
    target_s : by default the median run time.
    """
    mine = [run for run in runs if run.context.algorithm == algorithm]
    context = mine[-1].context
    _, columns, iterations = context.arguments
    times = sorted(run.runtime_s for run in mine if run.runtime_s is not None)
    return {
        "algorithm": algorithm,
        "arguments": [str(rows), columns, iterations],
        "data_size_mb": rows * int(columns) * 8 / 1e6,
        "data_characteristics": context.data_characteristics,
        "machine": context.machine,
        "environment": context.environment,
        "cores": context.cores,
        "memory_mb": context.memory_mb,
        "min_scale_out": min(run.min_scale_out for run in mine),
        "max_scale_out": max(run.max_scale_out for run in mine),
        "target_s": round(times[len(times) // 2], 1) if target_s is None else target_s,
    }


def bring(client: "Client") -> int:
    """Send the carried runs; nothing is there twice. How many they are."""
    sent = 0
    for portion in portions():
        client.predict(_APPLICATIONS, {"applications": portion})
        sent += len(portion)
    typer.echo(f"{sent} runs of Spark are known", err=True)
    return sent


def portions() -> Iterator[list[Mapping[str, Any]]]:
    """The carried runs as the route takes them, some at a time."""
    from models.scaleout.rows import told_of
    from models.scaleout.traces import carried

    runs = carried()
    for first in range(0, len(runs), _AT_ONCE):
        told = [told_of(run) for run in runs[first : first + _AT_ONCE]]
        yield [{**application, "jobs": jobs} for application, jobs in told]


def _train(client: "Client", trials: int) -> None:
    """Where it comes to nothing (torch is not installed there, say), the simpler models answer."""
    from common.client import AtollClientError

    try:
        job = client.train("scaleout", {"trials": trials})
        typer.echo(f"job {job.id} trains the graph model", err=True)
        job.wait(progress=is_watched())
    except AtollClientError as exc:
        typer.echo(f"not trained: {exc.message}; a simpler model answers", err=True)
        return
    if not job.has_succeeded:
        typer.echo(f"not trained, the job is {job.state}: {job.error}; a simpler model answers", err=True)


def _show(
    context: typer.Context, answer: Mapping[str, Any], question: Mapping[str, Any], rows: int, picture: Path
) -> None:
    from models.scaleout.demo.curve import lines, recommendation
    from models.scaleout.demo.picture import svg

    target_s = question["target_s"]
    title = f"{question['algorithm']}, {rows:,} rows"
    picture.write_text(svg(answer, title, target_s), encoding="utf-8")
    if prints_json(context):
        print_json(answer)
        return
    typer.echo(title)
    for line in lines(answer, target_s):
        typer.echo(line)
    typer.echo(recommendation(answer, target_s))
    typer.echo(f"drawn in {picture}")
