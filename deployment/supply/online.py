"""Known vulnerabilities from a service, asked by pip-audit: what is on the lock, whatever the markers say."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

from deployment.supply.advisories import Finding, merge
from deployment.supply.lock import Locked, Unreadable

TIMEOUT_S = 600


def layers(locked: Iterable[Locked]) -> list[list[Locked]]:
    """Apart what markers pin twice: pip-audit takes each name once a run, and looks at this machine's markers only."""
    found: list[list[Locked]] = []
    for package in locked:
        layer = next((layer for layer in found if all(other.name != package.name for other in layer)), None)
        if layer is None:
            found.append([package])
        else:
            layer.append(package)
    return found


def ask(locked: Iterable[Locked], options: Iterable[str] = ()) -> list[Finding]:
    """Findings of pip-audit, run with these options (`-s osv`, …). Raises `Unreadable` for any package it skipped."""
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="atoll-audit-") as folder:
        for layer in layers(locked):
            pins = Path(folder) / "pins.txt"
            pins.write_text("".join(f"{package.name}=={package.version}\n" for package in layer), encoding="utf-8")
            findings.extend(_run(pins, list(options)))
    return merge(findings)


def _run(pins: Path, options: list[str]) -> list[Finding]:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(pins), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--aliases", "on", "--desc", "on", "--progress-spinner", "off", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)  # noqa: S603 - no shell, and its own arguments
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"the advisory service did not answer within {TIMEOUT_S} s") from error
    try:
        answer = json.loads(done.stdout)
        dependencies = answer["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise Unreadable(f"pip-audit could not ask the advisory service: {said}") from error
    # It passes over what the service does not know, and calls the rest safe: a service that is away would look well.
    skipped = [dependency for dependency in dependencies if "skip_reason" in dependency]
    if skipped:
        raise Unreadable(
            f"the advisory service could not say anything on {len(skipped)} of {len(dependencies)} packages "
            f"(the first: {skipped[0]['skip_reason']}); give a copy of the advisories: make audit ADVISORIES=DIR"
        )
    return [
        Finding(
            package=canonicalize_name(dependency["name"]),
            version=dependency["version"],
            id=found["id"],
            aliases=tuple(sorted(found.get("aliases", []))),
            fixed_in=tuple(found.get("fix_versions", [])),
            summary=str(found.get("description", "")).strip().partition("\n")[0],
        )
        for dependency in dependencies
        for found in dependency["vulns"]
    ]
