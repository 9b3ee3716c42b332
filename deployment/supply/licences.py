"""The licence of each locked package, as an SPDX expression, and whether it is one that this project accepts.

Read from the metadata of what is installed; for what markers keep from this machine, from the page written before,
else from the metadata that pip reads without installing. Metadata names a licence in three ways, tried in this order:
`License-Expression` (PEP 639), `License`, classifiers.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from typing import Any

from license_expression import ExpressionError, LicenseSymbol, get_spdx_licensing

from deployment.supply.lock import Locked, Unreadable
from deployment.supply.policy import Policy

_SPDX = get_spdx_licensing()

# How projects write, in the old free-text field, what SPDX has an identifier for.
_WORDS = {
    "mit license": "MIT",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "isc license": "ISC",
}
# Only classifiers that mean one licence: "BSD License" may be any of several.
_CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}

Licences = dict[tuple[str, str], str]
"""Licence by name and version; "" where nothing says which."""


def canonical(expression: str) -> str | None:
    """The expression as SPDX writes it; None if it is none."""
    try:
        parsed = _SPDX.parse(expression, validate=True, strict=True)
    except ExpressionError:
        return None
    return str(parsed) if parsed is not None else None


def from_metadata(expression: str | None, text: str | None, classifiers: Iterable[str]) -> str:
    """The licence that metadata names; "" where it names none exactly."""
    for stated in (expression, text):
        words = (stated or "").strip()
        # A whole licence is no name of one.
        if not words or "\n" in words:
            continue
        found = _WORDS.get(words.lower()) or canonical(words)
        if found:
            return found
    named = [_CLASSIFIERS[line] for line in classifiers if line in _CLASSIFIERS]
    return " OR ".join(sorted(set(named)))


def installed(package: Locked) -> str | None:
    """From this environment; None if the package is not there. Another version of it counts: licences seldom change."""
    try:
        found = metadata.metadata(package.name)
    except metadata.PackageNotFoundError:
        return None
    expression, text = (next(iter(found.get_all(field) or []), None) for field in ("License-Expression", "License"))
    return from_metadata(expression, text, found.get_all("Classifier") or [])


def asked(package: Locked) -> str:
    """From the registry that pip is set up for, by pip, which installs nothing."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run"]
    command += ["--ignore-installed", "--no-deps", "--only-binary", ":all:", "--report", "-"]
    done = subprocess.run([*command, f"{package.name}=={package.version}"], capture_output=True, text=True, check=False)  # noqa: S603 - no shell, and its own arguments
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise Unreadable(f"pip could not read the metadata of {package.name} {package.version}: {said}")
    found: dict[str, Any] = json.loads(done.stdout)["install"][0]["metadata"]
    return from_metadata(found.get("license_expression"), found.get("license"), found.get("classifier", []))


def collect(
    locked: Iterable[Locked],
    policy: Policy,
    known: Mapping[tuple[str, str], str],
    ask: Callable[[Locked], str] = asked,
) -> Licences:
    stated = {entry.package: entry.licence for entry in policy.stated}
    licences: Licences = {}
    for package in locked:
        pin = (package.name, package.version)
        here = stated.get(package.name) or installed(package)
        if here is None:
            here = known[pin] if pin in known else ask(package)
        licences[pin] = here
    return licences


def problems(licences: Licences, policy: Policy) -> list[str]:
    """What has to be decided by a person, a sentence each."""
    found = []
    for (name, version), expression in licences.items():
        if not expression:
            found.append(f"{name} {version} names no licence; state it in policy.toml")
        elif not accepted(expression, policy.allowed_licences):
            found.append(f"{name} {version} is under {expression}, which policy.toml does not allow")
    return found


def accepted(expression: str, allowed: Iterable[str]) -> bool:
    """Whether all that applies is allowed: each part of an AND, at least one of an OR."""
    names = set(allowed)

    def holds(part: Any) -> bool:
        # `A WITH B` is one symbol of its own.
        if isinstance(part, LicenseSymbol) or not getattr(part, "args", None):
            return str(part) in names
        return (all if isinstance(part, _SPDX.AND) else any)(holds(inner) for inner in part.args)

    try:
        return holds(_SPDX.parse(expression, validate=True, strict=True))
    except ExpressionError:
        return False


_INTRODUCTION = """# Licences

What `requirements.txt` pins and under which licence it comes, as SPDX expressions. Written by `make licences`
(and `make lock`); which licences are accepted, and why, is in `deployment/supply/policy.toml`.

| package | version | licence |
|---|---|---|
"""


def page(licences: Licences) -> str:
    rows = (f"| `{name}` | {version} | {licence} |\n" for (name, version), licence in sorted(licences.items()))
    return _INTRODUCTION + "".join(rows)


def read_page(text: str) -> Licences:
    rows = re.findall(r"^\| `([^`]+)` \| (\S+) \| (.*) \|$", text, re.MULTILINE)
    return {(name, version): licence for name, version, licence in rows}
