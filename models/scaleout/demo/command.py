"""The command: `atoll scaleout demo`, against a server (`make run`)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.remote import FAILED, USAGE, AsJson, Url, connected, ended, is_watched, print_json, prints_json

if TYPE_CHECKING:
    from common.client import Client, Job
    from models.scaleout.records import Application

# Some 2 MB of JSON.
_AT_ONCE = 25
_APPLICATIONS = "/scaleout/applications"
_COLUMNS = 80
# A training is begun within this time, or nobody is there who can: a server without torch leaves it in its queue.
_LOOKS, _LOOK_S = 15, 2.0


def demo(
    context: typer.Context,
    algorithm: Annotated[str, typer.Option(help="gbt, kmeans, logisticregression or mpc.")] = "gbt",
    rows: Annotated[
        int | None,
        typer.Option(min=1000, max=10**12, help="Rows of the input asked about; by default of an input that was run."),
    ] = None,
    target_s: Annotated[
        float | None, typer.Option(min=0.1, max=1e9, help="Wanted run time; by default the median of such runs.")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=500, help="Ways to fit the graph model that are tried.")] = 4,
    train: Annotated[bool, typer.Option(help="Train the graph model, which plans while runs go on.")] = True,
    picture: Annotated[Path, typer.Option(help="Where the curve is drawn.")] = Path("scaleout-demo.svg"),
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Bring in the runs that Atoll carries, train on them, and ask what a run would take. Needs a server."""
    from models.scaleout.demo.question import question_of, rows_of
    from models.scaleout.traces import carried

    runs = carried()
    known = sorted({run.context.algorithm for run in runs})
    if algorithm not in known:
        raise ended(f"there are runs of {', '.join(known)}; none of {algorithm!r}", USAGE)
    if picture.is_dir() or not picture.absolute().parent.is_dir():
        raise ended(f"{picture} cannot be written; name a file in a folder that is there: --picture FILE", USAGE)
    question = question_of(runs, algorithm, rows, target_s)
    sizes = sorted({rows_of(run) for run in runs if run.context.algorithm == algorithm})
    with connected(context, url) as client:
        bring(client)
        typer.echo(f"those of {algorithm} had {', '.join(f'{size:,}' for size in sizes)} rows", err=True)
        if train:
            _train(client, trials)
        answer = client.predict("/scaleout/predict", question)
        if not answer["curve"]:
            raise ended("no model can answer from what is known", FAILED)
        _show(answer, question, picture, prints_json(context, as_json))
        if not prints_json(context, as_json):
            _show_under_way(client, runs, question, answer["recommendation"]["scale_out"])


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
    """Where it comes to nothing (torch is not installed there, say), simpler models plan."""
    from common.client import AtollClientError

    try:
        job = client.train("scaleout", {"trials": trials})
        typer.echo(f"job {job.id} trains the graph model: {trials} trials, some minutes", err=True)
        if not _is_begun(job):
            job.cancel()
            typer.echo(
                "not trained: no worker has begun it; one with PyTorch is needed (`make torch`); simpler models plan",
                err=True,
            )
            return
        job.wait(progress=is_watched())
        if job.has_succeeded:
            typer.echo(f"version {job.result()['version']} of the model serves", err=True)
            return
    except AtollClientError as exc:
        typer.echo(f"not trained: {exc.message}; simpler models plan", err=True)
        return
    typer.echo(f"not trained, the job is {job.state}: {job.error}; simpler models plan", err=True)


def _is_begun(job: "Job") -> bool:
    from common.client import StillRunning

    for _ in range(_LOOKS):
        with suppress(StillRunning):
            job.wait(_LOOK_S)
        if job.state != "queued":
            return True
    return False


def _show(answer: Mapping[str, Any], question: Mapping[str, Any], picture: Path, as_json: bool) -> None:
    from models.scaleout.demo.curve import lines, recommendation
    from models.scaleout.demo.picture import svg

    target_s = question["target_s"]
    title = f"{question['algorithm']}, {int(question['arguments'][0]):,} rows"
    told = recommendation(answer, target_s)
    try:
        picture.write_text(svg(answer, title, target_s, told), encoding="utf-8")
    except OSError as exc:
        raise ended(f"{picture} cannot be written: {exc.strerror}", FAILED) from None
    if as_json:
        print_json(answer)
        return
    typer.echo(f"\nRun times of {title}, with the interval of 80 % of such runs")
    for line in lines(answer, target_s):
        typer.echo(line)
    _say(told)
    typer.echo(f"drawn in {picture}")


def _show_under_way(
    client: "Client", runs: "Sequence[Application]", question: Mapping[str, Any], executors: int
) -> None:
    from models.scaleout.demo.under_way import fresh_id, half_of, planned, sentence

    run = half_of(runs, question, fresh_id(), executors)
    plan = None if run is None else planned(client, run)
    if run is not None and plan is not None:
        typer.echo()
        _say(sentence(run, plan))


def _say(text: str) -> None:
    import textwrap

    for line in textwrap.wrap(text, _COLUMNS - 1, break_on_hyphens=False):
        typer.echo(line)
