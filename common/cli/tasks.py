"""`atoll tasks`: what was submitted, what became of it, what it wrote and left."""

import json
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli import completing
from common.cli.groups import group
from common.cli.remote import (
    FAILED,
    JOB_FAILED,
    AsJson,
    Url,
    connected,
    ended,
    is_watched,
    print_json,
    print_table,
    prints_json,
)
from common.cli.steps import size

if TYPE_CHECKING:
    from common.cli.remote import Coloured
    from common.client import Task

app = group("Look after programs on clusters; `atoll submit` makes them.")

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the task.", autocompletion=completing.tasks)]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it has finished; 4 if it came to nothing.")]
_COLOURS = {
    "succeeded": "green",
    "running": "cyan",
    "cancelled": "yellow",
    **dict.fromkeys(("failed", "timed-out", "out-of-memory", "node-failed", "lost"), "red"),
}


@app.command("list")
def list_tasks(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option(help="Only those that are so, e.g. running; may be repeated.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="Only those of the cluster.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those that they submitted.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="As many at most.")] = 50,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List tasks, newest first.

    \b
    Example:
      atoll tasks list --state running --cluster atena02
    """
    with connected(context, url) as client:
        found = client.tasks(state=state, cluster=cluster, owner=owner, page_size=min(limit, 500))
        tasks = list(islice(found, limit))
    if prints_json(context, as_json):
        print_json([task.data for task in tasks])
        return
    print_table(
        ["ID", "NAME", "CLUSTER", "STATE", "CREATED", "RAN", "TOLD"],
        [
            [
                task.id,
                task.name,
                task.cluster,
                _coloured(task.state),
                # The day and the minute.
                _moment(task.data.get("created"))[5:16],
                _ran(task),
                _why(task),
            ]
            for task in tasks
        ],
    )


@app.command()
def show(context: typer.Context, task_id: Id, as_json: AsJson = False, url: Url = None) -> None:
    """Show a task: where it is, what it was asked for, what it has come to.

    \b
    Example:
      atoll tasks show 1k0s4cvgx3rt9d2ykgfgjhqqchk
    """
    with connected(context, url) as client:
        task = client.task(task_id)
    _show(context, task, as_json)


@app.command()
def logs(
    context: typer.Context,
    task_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has finished.")] = False,
    element: Annotated[int | None, typer.Option(min=0, help="Of an array.")] = None,
    tail: Annotated[int | None, typer.Option(min=1, metavar="LINES", help="Only the last ones.")] = None,
    url: Url = None,
) -> None:
    """Print what the program wrote. Ctrl-C ends the printing, not the task.

    \b
    Examples:
      atoll tasks logs -f 1k0s4cvgx3rt9d2ykgfgjhqqchk
      atoll tasks logs 1k0s4cvgx3rt9d2ykgfgjhqqchk --element 3 --tail 20
    """
    from common.client.progress import plain

    with connected(context, url) as client:
        for line in client.task(task_id).logs(follow=follow, element=element, tail=tail):
            typer.echo(plain(line))


@app.command()
def cancel(context: typer.Context, task_id: Id, wait: Wait = False, as_json: AsJson = False, url: Url = None) -> None:
    """Cancel a task that waits or runs; with --wait until it has stopped.

    \b
    Example:
      atoll tasks cancel 1k0s4cvgx3rt9d2ykgfgjhqqchk --wait
    """
    with connected(context, url) as client:
        task = client.task(task_id).cancel()
        if wait:
            task.wait(progress=is_watched())
    _show_state(context, task, as_json)


@app.command()
def retry(
    context: typer.Context,
    task_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show state and log to the end.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Run a task again that has come to nothing.

    \b
    Example:
      atoll tasks retry 1k0s4cvgx3rt9d2ykgfgjhqqchk --follow
    """
    with connected(context, url) as client:
        task = client.task(task_id).retry()
        if follow:
            from common.cli.submit import followed

            followed(context, task, as_json)
            return
    _show_state(context, task, as_json)


@app.command()
def files(
    context: typer.Context,
    task_id: Id,
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Only these; by default all.")] = None,
    get: Annotated[Path | None, typer.Option(metavar="DIR", help="Download them there.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List what a task has left, or download it.

    \b
    Examples:
      atoll tasks files 1k0s4cvgx3rt9d2ykgfgjhqqchk
      atoll tasks files 1k0s4cvgx3rt9d2ykgfgjhqqchk model.onnx --get results
    """
    with connected(context, url) as client:
        task = client.task(task_id)
        found = task.files()
        wanted = [item for item in found if not paths or _is_wanted(item["path"], paths)]
        if paths and not wanted:
            there = ", ".join(item["path"] for item in found[:20]) or "none"
            raise ended(f"task {task.id} has no such file; it has {there}", FAILED)
        if get is not None:
            _download(task, wanted, get)
    if prints_json(context, as_json):
        print_json(wanted)
    else:
        print_table(["PATH", "SIZE"], [[item["path"], size(item["size_bytes"])] for item in wanted])


def tell_state(task: "Task") -> None:
    """On standard error, so that the log stands alone on standard output."""
    from common.client.progress import plain

    where = f" on {', '.join(task.data.get('nodes') or [])}" if task.data.get("nodes") else ""
    typer.echo(plain(f"{task.id}  {task.told}{where}"), err=True)


def end_unless_succeeded(task: "Task") -> None:
    """End the command with 4 if the task has come to nothing."""
    if task.is_finished and not task.has_succeeded:
        raise ended(f"task {task.id} is {task.told}", JOB_FAILED)


def _is_wanted(path: str, given: list[str]) -> bool:
    """Whether it is one of those given, or below one."""
    return any(path == one.strip("/") or path.startswith(f"{one.strip('/')}/") for one in given)


def _download(task: "Task", found: list[dict[str, Any]], folder: Path) -> None:
    from common.cli.steps import steps

    for item in found:
        path = PurePosixPath(item["path"])
        # A server is not trusted with this machine's files.
        if path.is_absolute() or ".." in path.parts or "\\" in item["path"]:
            raise ended(f"the server names a file outside of the folder: {item['path']}", FAILED)
    with steps() as report:
        for done, item in enumerate(found):
            report(item["path"], done, len(found))
            try:
                task.download(item["path"], folder / item["path"])
            except OSError as exc:
                raise ended(f"cannot write {folder / item['path']}: {exc.strerror}", FAILED) from None
        report(str(folder), len(found), len(found))


def _show_state(context: typer.Context, task: "Task", as_json: bool) -> None:
    if prints_json(context, as_json):
        print_json(task.data)
    else:
        typer.echo(f"{task.id}  {task.told}")


def _show(context: typer.Context, task: "Task", as_json: bool) -> None:
    if prints_json(context, as_json):
        print_json(task.data)
        return
    shown: list[list[object]] = []
    for name, value in task.data.items():
        if name in _NOT_SHOWN or value in (None, [], {}, "", False):
            continue
        shown.append([name.replace("_", " "), _coloured(value) if name == "state" else _plainly(name, value)])
    print_table(["ID", task.id], shown)
    for title, rows in (("ELEMENT", task.data.get("elements")), ("ATTEMPT", task.data.get("earlier"))):
        if rows:
            typer.echo()
            columns = [name for name in rows[0] if any(row.get(name) not in (None, "", [], {}) for row in rows)]
            print_table([title, *(name.upper() for name in columns[1:])], [_row(row, columns) for row in rows])


def _row(row: dict[str, Any], columns: list[str]) -> list[object]:
    return [_coloured(row.get(name)) if name == "state" else _plainly(name, row.get(name)) for name in columns]


def _plainly(name: str, value: Any) -> object:
    """A value of a task as a cell."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key}={json.dumps(one) if isinstance(one, dict | list) else _plainly(key, one)}"
            for key, one in value.items()
        )
    if isinstance(value, list):
        return ", ".join(str(_plainly(name, one)) for one in value)
    if name.endswith("_bytes") and isinstance(value, int):
        return size(value)
    if isinstance(value, str) and name.removesuffix("_at") in _TIMES:
        return _moment(value)
    return f"{value:.6g}" if isinstance(value, float) else value


_NOT_SHOWN = frozenset({"id", "status", "links", "elements", "earlier", "updated"})
_TIMES = frozenset({"created", "submitted", "started", "finished", "updated"})


def _coloured(state: Any) -> "Coloured":
    from common.cli.remote import Coloured

    return Coloured(str(state), _COLOURS.get(str(state), ""))


def _why(task: "Task") -> str:
    """What a list has to say of it, beside its state."""
    return task.told.partition(" ")[2].strip("()") or str(task.data.get("reason") or "")


def _ran(task: "Task") -> str:
    """How long it has run, or did: `1:02:03`."""
    from datetime import UTC, datetime, timedelta

    began, over = task.data.get("started"), task.data.get("finished")
    if not began:
        return ""
    end = datetime.fromisoformat(over) if over else datetime.now(UTC)
    return str(timedelta(seconds=max(0, round((end - datetime.fromisoformat(began)).total_seconds()))))


def _moment(told: Any) -> str:
    """A time as the server gave it, to the second, in this machine's zone."""
    from datetime import datetime

    return datetime.fromisoformat(told).astimezone().isoformat(" ", "seconds")[:19] if told else ""
