"""`atoll doctor`: what is wrong with this checkout or deployment, and what to do about it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.remote import FAILED, AsJson, Coloured, print_json, prints_json

if TYPE_CHECKING:
    from common.doctor import Finding

_SIGNS = {
    "ok": Coloured("ok", "green"),
    "warning": Coloured("warning", "yellow"),
    "error": Coloured("ERROR", "bold red"),
}
_QUICK_LEAVES_OUT = ("import", "models")
_LOCAL_SETTINGS = "local.settings.json"


def doctor(
    context: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="Only this check; may be given again. A wrong one lists all."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            help="Plan of Azure Functions: flex, consumption, premium, dedicated, container "
            "(default: what the platform says, else flex)."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="Checkout or deployment to look at (default: this one)."),
    ] = None,
    local_settings: Annotated[
        bool, typer.Option("--local-settings", help="With the values of local.settings.json, as `func start` has them.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what starts a process: import, models.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings too.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=600, help="Seconds to wait for each server that is asked.")
    ] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Check this checkout or deployment, and say what to mend.

    Python, host.json, storage, database, Redis, size, start, models, secrets. Nothing is changed. Exit code 1 if
    something is wrong that has to be mended.

    \b
    Examples:
      atoll doctor
      atoll doctor --local-settings --only host --only storage
      atoll doctor --json --strict | jq '.findings[] | select(.level != "ok")'
    """
    from common.cli.quiet import quiet
    from common.doctor import CHECKS, Subject, examine, worst
    from common.doctor.plans import PLANS, plan_of
    from common.settings import CHECKOUT, get_settings
    from common.telemetry.logs import configure_logs

    _check_names(only or [], CHECKS, "--only")
    _check_names([plan] if plan else [], tuple(PLANS), "--plan")
    root = (folder or CHECKOUT).absolute()
    if not root.is_dir():
        raise typer.BadParameter(f"{root} is no folder", param_hint="--folder")
    configure_logs(quiet())
    if local_settings:
        _take_local_settings(root)
    subject = Subject(root, dict(os.environ), PLANS[plan] if plan else plan_of(os.environ), timeout_s)
    wanted = [name for name in only or CHECKS if not quick or name not in _QUICK_LEAVES_OUT]
    shows_json = prints_json(context, as_json)
    findings = []
    for finding in examine(subject, get_settings, wanted):
        findings.append(finding)
        if not shows_json:
            _print(finding)
    level = worst(findings)
    if shows_json:
        print_json(_json(findings, level, subject.plan.name))
    else:
        typer.echo(_summary(findings))
    if level == "error" or (strict and level == "warning"):
        raise typer.Exit(FAILED)


def _check_names(given: list[str], known: tuple[str, ...], option: str) -> None:
    for name in given:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint=option)


def _take_local_settings(root: Path) -> None:
    """What is set already counts before the file, as under Core Tools."""
    from common.doctor.local_settings import Unusable, values_of
    from common.settings import get_settings

    try:
        values = values_of((root / _LOCAL_SETTINGS).read_text(encoding="utf-8"))
    except OSError as exc:
        told = f"{_LOCAL_SETTINGS} cannot be read: {exc.strerror}; begin with local.settings.example.json"
        raise typer.BadParameter(told, param_hint="--local-settings") from None
    except (Unusable, UnicodeDecodeError) as exc:
        raise typer.BadParameter(f"{_LOCAL_SETTINGS}: {exc}", param_hint="--local-settings") from None
    for name, value in values.items():
        os.environ.setdefault(name, value)
    get_settings.cache_clear()


def _print(finding: "Finding") -> None:
    from rich.console import Console
    from rich.text import Text

    from common.client.progress import plain

    sign = _SIGNS[finding.level]
    line = Text.assemble((f"{sign.text:<8}", sign.style), (f"{finding.check:<9} ", "dim"), plain(finding.what))
    console = Console(highlight=False)
    console.print(line, soft_wrap=True)
    for name, said in (("why", finding.why), ("do", finding.todo)):
        if said:
            console.print(Text.assemble(" " * 18, (f"{name}: ", "dim"), plain(said)), soft_wrap=True)


def _summary(findings: "list[Finding]") -> str:
    counts = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning", "ok")}
    if not counts["error"] and not counts["warning"]:
        return "all is well"
    words = [
        f"{number} {name}{'s' if number > 1 and name != 'ok' else ''}" for name, number in counts.items() if number
    ]
    return ", ".join(words)


def _json(findings: "list[Finding]", level: str, plan: str) -> dict[str, Any]:
    from dataclasses import asdict

    return {"level": level, "plan": plan, "findings": [asdict(finding) for finding in findings]}
