"""`atoll predict`, `atoll train`: what makes work."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli import completing
from common.cli.remote import Url, connected, end_unless_succeeded, is_watched, print_json, prints_json

if TYPE_CHECKING:
    from common.client import Job

Body = Annotated[str, typer.Option("--json", metavar="BODY", help="The body: JSON, @FILE, or - for standard input.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until the job has finished; 4 if it came to nothing.")]
Key = Annotated[str | None, typer.Option(help="The same key is the same job; one is made up.")]
Callback = Annotated[str | None, typer.Option(metavar="URL", help="Told when the job has ended, by a signed POST.")]
Deadline = Annotated[float | None, typer.Option(metavar="SECONDS", min=0.001, help="Of no use after that.")]
Control = Annotated[list[str] | None, typer.Option("--control", "-c", metavar="NAME=VALUE", help="More control.")]


def predict(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="Name of the model, or path of the route.", autocompletion=completing.models)
    ],
    body: Body,
    queue: Annotated[bool, typer.Option("--queue", help="Queue it, and print the job.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Queue it, and stay until its answer is there.")] = False,
    idempotency_key: Key = None,
    callback_url: Callback = None,
    deadline_s: Deadline = None,
    control: Control = None,
    url: Url = None,
) -> None:
    """Ask a model, and print its answer.

    \b
    Examples:
      atoll predict sample --json '{"requiredField": "Ada"}'
      atoll predict imputation --json @question.json --wait
      echo '{"requiredField": "Ada"}' | atoll predict /sample_model/predict --json -
    """
    content = read_body(body)
    more = _control(control, idempotency_key, callback_url, deadline_s)
    with connected(context, url) as client:
        if not (queue or wait):
            print_json(client.predict(model, content, progress=is_watched(), **more))
            return
        job = client.predict(model, content, queued=True, **more)
        if wait:
            _tell(f"job {job.id}")
            print_json(job.wait(progress=is_watched()).result())
        else:
            _print_accepted(context, job)


def train(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.", autocompletion=completing.models)],
    body: Body = "{}",
    wait: Wait = False,
    idempotency_key: Key = None,
    callback_url: Callback = None,
    deadline_s: Deadline = None,
    control: Control = None,
    url: Url = None,
) -> None:
    """Queue a training, and print the job. With --wait also what came of it.

    \b
    Examples:
      atoll train sample --json '{"x": [0, 1, 2], "y": [1, 3, 5]}' --wait
      atoll train imputation --json @training.json -c parallel_trials=2 --callback-url https://hooks.example/atoll
    """
    content = read_body(body)
    more = _control(control, idempotency_key, callback_url, deadline_s)
    with connected(context, url) as client:
        job = client.train(model, content, **more)
        if not wait:
            _print_accepted(context, job)
            return
        _tell(f"job {job.id}")
        job.wait(progress=is_watched())
        end_unless_succeeded(job)
        print_json({**job.data, "result": job.result()})


def read_body(given: str, option: str = "--json") -> bytes:
    """The body as it was given, which must be JSON."""
    import orjson

    try:
        if given == "-":
            body = sys.stdin.buffer.read()
        elif given.startswith("@"):
            body = Path(given[1:]).read_bytes()
        else:
            body = given.encode()
        orjson.loads(body)
    except OSError as exc:
        raise typer.BadParameter(f"cannot read {given[1:]}: {exc.strerror}", param_hint=option) from None
    except orjson.JSONDecodeError as exc:
        raise typer.BadParameter(f"no JSON: {exc}", param_hint=option) from None
    return body


def _control(
    pairs: list[str] | None, idempotency_key: str | None, callback_url: str | None, deadline_s: float | None
) -> dict[str, Any]:
    control: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--control")
        control[name] = value
    given = {"idempotency_key": idempotency_key, "callback_url": callback_url, "deadline_s": deadline_s}
    return control | {name: value for name, value in given.items() if value is not None}


def _print_accepted(context: typer.Context, job: "Job") -> None:
    if prints_json(context):
        print_json(job.data)
    else:
        typer.echo(f"{job.id}  {job.state}; `atoll jobs watch {job.id}` shows how far it is")


def _tell(text: str) -> None:
    """On standard error, so that the answer stands alone on standard output."""
    typer.echo(text, err=True)
