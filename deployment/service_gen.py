"""`python -m deployment.service_gen`: a service of its own for a model, in the Kubernetes manifests.

Asks for what is not given by flags, if somebody is there to answer. The same wish a second time changes nothing.
Exit codes: 0 done, 1 refused, 2 wrong usage.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from deployment.manifests import Model, Root, Service, SpecError, Volume, find_models
from deployment.manifests.spec import SHARE, cpu_of, memory_of, with_service, without_service

ROOT = Path(__file__).resolve().parent / "kubernetes"
NAMESPACE = "atoll"
_DEFAULTS = Service("x")

cli = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@cli.command()
def main(
    name: Annotated[str | None, typer.Argument(help="Name of the service, e.g. sentiment-service.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Folder of a model that it serves, e.g. models/sentiment; may be repeated.")
    ] = None,
    volume: Annotated[
        bool | None, typer.Option("--volume/--no-volume", help="Whether it has a volume that all its pods share (yes).")
    ] = None,
    volume_kind: Annotated[
        str | None, typer.Option(help="`file` (Azure Files, the default) or `blob` (Blob Storage).")
    ] = None,
    volume_name: Annotated[
        str | None, typer.Option(help=f"Name of the volume ({SHARE}, the one of all services).")
    ] = None,
    cpu_request: Annotated[str | None, typer.Option(help=f"CPU that it is sure of ({_DEFAULTS.cpu_request}).")] = None,
    cpu_limit: Annotated[str | None, typer.Option(help=f"CPU that it may take ({_DEFAULTS.cpu_limit}).")] = None,
    memory_request: Annotated[
        str | None, typer.Option(help=f"Memory that it is sure of ({_DEFAULTS.memory_request}).")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help=f"Memory over which it is killed ({_DEFAULTS.memory_limit}).")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the service out of the manifests.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change a service that is there.")] = False,
    sync: Annotated[bool, typer.Option("--sync", help="Write all files anew, as when a model has a new path.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Show the services that are there.")] = False,
    root: Annotated[
        Path,
        typer.Option(
            help="Folder with services.yaml (deployment/kubernetes); overlays/istio there is another.",
            show_default=False,
        ),
    ] = ROOT,
) -> None:
    """Write a new service into the manifests: deployment, address, route, scalers and workers.

    Then: `kubectl apply -k deployment/kubernetes/overlays/aks`.
    """
    given = {
        "cpu_request": cpu_request,
        "cpu_limit": cpu_limit,
        "memory_request": memory_request,
        "memory_limit": memory_limit,
    }
    try:
        found = Root.at(root)
        services = found.services()
        if show:
            typer.echo("\n".join(f"{one.name}\t{', '.join(one.models) or 'all models'}" for one in services))
            return
        models = find_models()
        if not sync:
            name = name or _ask("Name of the service", None, lambda text: Service(text, (min(models),)).check(models))
            if remove:
                _refuse_more(model, volume, volume_kind, volume_name, replace, *given.values())
                services = without_service(services, name)
            else:
                new = _wanted(name, model, volume, volume_kind, volume_name, given, models)
                others = [one for one in services if one.name != name] if replace else services
                services = _in_place(services, new) if replace and others != services else with_service(services, new)
        changed = found.write(services, models)
    except (SpecError, RuntimeError) as exc:
        typer.echo(f"service_gen: {exc}", err=True)
        raise typer.Exit(1) from None
    typer.echo("\n".join(f"wrote {path}" for path in changed) or "nothing to change")
    if changed and remove:
        typer.echo(f"In the cluster it is still there. After `kubectl apply -k` of your overlay:\n{_deletion(name)}")


def _deletion(name: str | None) -> str:
    """The command that takes a service out of the cluster, where no `apply` does; a volume of its own stays."""
    kinds = "deployment,service,pdb,hpa,scaledobject,scaledjob"
    return f"kubectl -n {NAMESPACE} delete {kinds} -l app.kubernetes.io/instance={name}"


def _wanted(
    name: str,
    model: list[str] | None,
    volume: bool | None,
    volume_kind: str | None,
    volume_name: str | None,
    given: Mapping[str, str | None],
    models: Mapping[str, Model],
) -> Service:
    """The service that is asked for, by flags, else by answers, else by defaults."""
    chosen = model or [
        _ask(f"Model folder ({', '.join(sorted(models))})", None, lambda text: _check_models(_folders([text]), models))
    ]
    folders = _folders(chosen)
    if volume is False and (volume_kind or volume_name):
        raise SpecError("--no-volume goes with no kind and no name of a volume; leave one of them out")
    # Who names a volume wants one.
    has_volume = volume if volume is not None else bool(volume_kind or volume_name) or _confirm("Shared volume")
    place = None
    if has_volume:
        kind: Any = volume_kind or _ask("File or blob", "file", lambda text: Volume(text, "any").check())  # type: ignore[arg-type]  # checked here
        shared = SHARE if kind == "file" else f"{name}-files"
        place = Volume(kind, volume_name or _ask("Volume name", shared, lambda text: Volume(kind, text).check()))
    sizes: dict[str, Any] = {
        key: value
        or _ask(
            key.replace("_", " ").replace("cpu", "CPU"),
            getattr(_DEFAULTS, key),
            cpu_of if key.startswith("cpu") else memory_of,
        )
        for key, value in given.items()
    }
    made = Service(name, folders, place, **sizes)
    made.check(models)
    return made


def _in_place(services: list[Service], new: Service) -> list[Service]:
    return [new if one.name == new.name else one for one in services]


def _refuse_more(*given: object) -> None:
    if any(value not in (None, False) for value in given):
        raise SpecError("--remove needs the name of the service and nothing else")


def _folders(chosen: Iterable[str]) -> tuple[str, ...]:
    given = (folder.strip() for text in chosen for folder in text.split(","))
    return tuple(dict.fromkeys(Path(folder).name for folder in given if folder))


def _check_models(folders: tuple[str, ...], models: Mapping[str, Model]) -> None:
    # Of any name but the default one's, which serves all.
    Service("any", folders).check(models)


def _ask(what: str, default: str | None, check: Callable[[str], object]) -> str:
    """An answer; one that `check` refuses is asked for again, with the reason."""

    def read(answer: str) -> str:
        text = answer.strip()
        try:
            check(text)
        except SpecError as exc:
            raise typer.BadParameter(str(exc)) from None
        return text

    if sys.stdin.isatty():
        return str(typer.prompt(what, default=default, value_proc=read))
    if default is None:
        raise SpecError(f"{what.split(' (')[0].lower()} is missing; see --help")
    return default


def _confirm(what: str) -> bool:
    return typer.confirm(what, default=True) if sys.stdin.isatty() else True


if __name__ == "__main__":
    cli(prog_name="python -m deployment.service_gen")
