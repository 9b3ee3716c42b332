"""`atoll submit`: send a program to a cluster."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli import completing
from common.cli.remote import AsJson, Url, connected, print_json, prints_json

if TYPE_CHECKING:
    from common.client import Task


def submit(
    context: typer.Context,
    program: Annotated[
        Path, typer.Argument(metavar="PROGRAM", help="A .py, .sh or .zip file, or a folder, which is packed.")
    ],
    cluster: Annotated[
        str | None,
        typer.Option(help="By default local; see `atoll clusters list`.", autocompletion=completing.clusters),
    ] = None,
    partition: Annotated[str | None, typer.Option(help="A part of the cluster.")] = None,
    account: Annotated[str | None, typer.Option(help="The cluster's account.")] = None,
    image: Annotated[str | None, typer.Option(help="Container image.")] = None,
    time_limit: Annotated[str | None, typer.Option("--time", metavar="TIME", help="1h, 90m, 1:30:00.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="2G, 512M.")] = None,
    cpus: Annotated[int | None, typer.Option(min=1)] = None,
    gpus: Annotated[int | None, typer.Option(min=0)] = None,
    nodes: Annotated[int | None, typer.Option(min=1)] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter; numbers, true and false are such, anything else is text. May be repeated.",
        ),
    ] = None,
    params_file: Annotated[
        Path | None,
        typer.Option("--params", metavar="FILE", help="Parameters as a JSON object."),
    ] = None,
    arguments: Annotated[bool, typer.Option("--arguments", help="Also as --name=value.")] = False,
    dataset: Annotated[str | None, typer.Option(help="Data set of the share, without .csv.")] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", metavar="FILE", help="Sent along. May be repeated."),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="Variable. May be repeated."),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The file of a folder or .zip that is run."),
    ] = None,
    command: Annotated[str | None, typer.Option(help="Run this in the program's folder instead.")] = None,
    modules: Annotated[
        list[str] | None,
        typer.Option("--module", metavar="NAME", help="Loaded first. May be repeated."),
    ] = None,
    array: Annotated[
        str | None,
        typer.Option(metavar="RANGE", help="Run it many times: 0-9, 1,5,7, 0-9%2."),
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK", help="Which has to succeed first. May be repeated."),
    ] = None,
    retries: Annotated[int | None, typer.Option(min=0, help="Begin anew so often if it fails.")] = None,
    requeue: Annotated[bool, typer.Option("--requeue", help="Begin anew if its node fails.")] = False,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    track: Annotated[str | None, typer.Option(metavar="URI", help="Track it with MLflow there.")] = None,
    experiment: Annotated[str | None, typer.Option(help="MLflow's.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="More fields, as JSON (docs/tasks.md); options count before them."),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would be submitted; submit nothing.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show state and log to the end; 4 if it comes to nothing.")
    ] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key is the same task; one is made up.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Run a program on a cluster: a script, an archive, or a folder.

    The program finds its parameters in the file that ATOLL_PARAMS names, its data set in ATOLL_DATASET, its inputs in
    ATOLL_INPUT_DIR, and leaves what is to be kept in ATOLL_OUTPUT_DIR. See docs/tasks.md.

    \b
    Examples:
      atoll submit train.py --param n_estimators=2 --dataset wine --follow
      atoll submit train.py --cluster atena02 --partition gpu --gpus 1 --time 2h --memory 16G
      atoll submit project/ --entry src/train.py --array 0-9%2 --after 01kb… --preview
    """
    given = {
        "cluster": cluster,
        "partition": partition,
        "account": account,
        "image": image,
        "time_limit": time_limit,
        "memory": memory,
        "cpus": cpus,
        "gpus": gpus,
        "nodes": nodes,
        "parameters": {**_parameters_of(params_file), **_pairs("--param", params, scalar)},
        "as_arguments": arguments or None,
        "dataset": dataset,
        "environment": _pairs("--env", environment, str),
        "entry_point": entry,
        "command": command,
        "modules": modules,
        "array": array,
        "dependencies": after,
        "retries": retries,
        "requeue": requeue or None,
        "name": name,
        "tracking_uri": track,
        "model_tracking": track is not None or None,
        "experiment_name": experiment,
    }
    fields = _object_of("--config", config)
    fields |= {key: value for key, value in given.items() if value is not None and value != {}}
    _check_files(program, inputs or ())
    with connected(context, url) as client:
        try:
            if preview:
                typer.echo(client.preview_task(program, fields, inputs=inputs or ()), nl=False)
                return
            task = client.submit_task(program, fields, inputs=inputs or (), idempotency_key=idempotency_key)
        except (OSError, ValueError) as exc:
            raise typer.BadParameter(str(exc), param_hint="PROGRAM") from None
        if follow:
            followed(context, task, as_json)
            return
    if prints_json(context, as_json):
        print_json(task.data)
    else:
        typer.echo(f"{task.id}  {task.state}; `atoll tasks logs -f {task.id}` shows what it writes")


def followed(context: typer.Context, task: "Task", as_json: bool = False) -> None:
    """Show a task's states on standard error and its log on standard output, and end as it ends.

    An array has many logs; its elements are shown instead.
    """
    from common.cli.tasks import end_unless_succeeded, tell_state
    from common.client.progress import plain
    from common.client.tasks_view import parts_of

    tell_state(task.refresh())
    for _ in _until_it_runs(task):
        tell_state(task)
    if task.data["config"].get("array") is None:
        for line in task.logs(follow=True):
            typer.echo(plain(line))
    shown = task.state
    task.wait()
    if task.state != shown:
        tell_state(task)
    for element in parts_of(task):
        typer.echo(f"{element['index']}  {plain(element['state'])}", err=True)
    if as_json:
        print_json(task.data)
    end_unless_succeeded(task)


def scalar(text: str) -> str | int | float | bool:
    """A parameter's value: a number, true or false as JSON writes them, anything else as text."""
    import orjson

    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return found if isinstance(found, bool | int | float | str) else text


def _until_it_runs(task: "Task") -> Iterator[str]:
    """Yields at every change of state, until there may be a log."""
    from common.client.retry import next_poll_s

    unchanged, state = 0, task.state
    while not task.is_finished and task.state != "running":
        time.sleep(next_poll_s(unchanged, None))
        task.refresh()
        unchanged = 0 if task.state != state else unchanged + 1
        if task.state != state:
            state = task.state
            yield state


def _pairs(option: str, given: Sequence[str] | None, read: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name} is given twice", param_hint=option)
        found[name] = read(value)
    return found


def _parameters_of(file: Path | None) -> dict[str, Any]:
    found = _object_of("--params", file)
    wrong = [name for name, value in found.items() if not isinstance(value, bool | int | float | str)]
    if wrong:
        told = f"{wrong[0]} in {file} is no scalar; parameters are numbers, texts, true and false"
        raise typer.BadParameter(told, param_hint="--params")
    return found


def _object_of(option: str, file: Path | None) -> dict[str, Any]:
    import orjson

    if file is None:
        return {}
    try:
        found = orjson.loads(file.read_bytes())
    except OSError as exc:
        raise typer.BadParameter(f"cannot read {file}: {exc.strerror}", param_hint=option) from None
    except orjson.JSONDecodeError as exc:
        raise typer.BadParameter(f"{file} is no JSON: {exc}", param_hint=option) from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{file} holds no JSON object", param_hint=option)
    return found


def _check_files(program: Path, inputs: Sequence[Path]) -> None:
    """Refuse what cannot be sent before a server is asked."""
    if not program.exists():
        raise typer.BadParameter(f"there is no {program}", param_hint="PROGRAM")
    for path in inputs:
        if not path.is_file():
            raise typer.BadParameter(f"{path} is no file", param_hint="--input")
