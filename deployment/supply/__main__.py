"""`python -m deployment.supply`: exit status 0 is well, 1 is for a person to decide, 2 could not be checked."""

import argparse
import datetime as dt
import json
import os
import sys
from pathlib import Path

from deployment.supply import licences, sbom
from deployment.supply.advisories import find, read_database
from deployment.supply.audit import age_note, judge
from deployment.supply.lock import Unreadable, read_lock
from deployment.supply.online import ask
from deployment.supply.policy import POLICY, read_policy

CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        done: int = options.command(options)
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return done


def audit(options: argparse.Namespace) -> int:
    locked, policy = read_lock(options.lock), read_policy(options.policy)
    today = dt.datetime.now(dt.UTC).date()
    if options.advisories:
        database = read_database(options.advisories)
        source = (
            f"{database.count} advisories in {options.advisories}, the newest of {database.newest[:10] or 'no date'}"
        )
        findings, note = find(locked, database), age_note(database.newest, today)
    else:
        service = ["-s", options.service, *(["--osv-url", options.osv_url] if options.osv_url else [])]
        findings, note, source = ask(locked, service), None, f"the service `{options.service}`"
    report = judge(findings, policy.ignored, today=today, source=source, packages=len(locked))
    _write(json.dumps(report.as_json(), indent=2) if options.json else report.as_text(), options.output)
    if note:
        sys.stderr.write(f"note: {note}\n")
    return 1 if report.open else 0


def list_licences(options: argparse.Namespace) -> int:
    policy = read_policy(options.policy)
    text = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
    found = licences.collect(read_lock(options.lock), policy, licences.read_page(text))
    options.page.write_text(licences.page(found), encoding="utf-8")
    wrong = licences.problems(found, policy)
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


def write_sbom(options: argparse.Namespace) -> int:
    known = licences.read_page(options.page.read_text(encoding="utf-8")) if options.page.exists() else {}
    locked = read_lock(options.lock)
    missing = [package.name for package in locked if (package.name, package.version) not in known]
    if missing:
        raise Unreadable(f"{options.page} does not list {', '.join(missing)}; run `make licences`")
    # Builds that are to come out the same set this (reproducible-builds.org/docs/source-date-epoch).
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    created = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch else dt.datetime.now(dt.UTC)
    about = sbom.project(CHECKOUT / "pyproject.toml")
    _write(sbom.write(locked, known, about, created=created), options.output)
    return 0


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text.rstrip("\n") + "\n")
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    sys.stderr.write(f"wrote {output}\n")


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--lock", type=Path, default=CHECKOUT / "requirements.txt", help="the file to read")
    shared.add_argument("--policy", type=Path, default=POLICY, help="what is accepted")
    shared.add_argument("--page", type=Path, default=CHECKOUT / "docs/licences.md", help="the list of licences")
    shared.add_argument("--output", type=Path, help="a file instead of standard output")
    parser = argparse.ArgumentParser(prog="python -m deployment.supply", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("audit", parents=[shared], help="look for known vulnerabilities in what is pinned")
    command.add_argument(
        "--advisories", type=Path, help="a copy of the advisories (OSV format; a folder or a zip file)"
    )
    command.add_argument("--service", choices=("pypi", "osv", "esms"), default="pypi", help="whom pip-audit asks else")
    command.add_argument("--osv-url", help="a mirror of the OSV service; with --service osv")
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(command=audit)

    command = commands.add_parser("licences", parents=[shared], help="list the licences of what is pinned, and judge")
    command.set_defaults(command=list_licences)

    command = commands.add_parser("sbom", parents=[shared], help="write the bill of materials (CycloneDX, JSON)")
    command.set_defaults(command=write_sbom)
    return parser


if __name__ == "__main__":
    sys.exit(main())
