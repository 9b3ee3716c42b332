"""Advisories in the OSV format, and which locked packages they concern.

A database is OSV's export of PyPI (`all.zip`, or a folder into which it was unpacked), or any folder of advisories
in that format. Matching follows the evaluation algorithm of the OSV schema 1.7 (ossf.github.io/osv-schema): a version
is affected if it is listed, or lies in a range of type ECOSYSTEM or SEMVER. pip-audit asks services only, and
osv-scanner, which reads such an export, is a program of its own that no Python package brings.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from deployment.supply.lock import Locked, Unreadable

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """A known vulnerability of a locked package. `aliases` are its other numbers (CVE, GHSA), `fixed_in` versions."""

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    fixed_in: tuple[str, ...]
    summary: str

    @property
    def ids(self) -> frozenset[str]:
        return frozenset((self.id, *self.aliases))


@dataclass(frozen=True, slots=True)
class Database:
    """Advisories by normalised package name; `newest` is when the last of them was changed (ISO 8601)."""

    by_package: dict[str, list[Document]]
    count: int
    newest: str


def read_database(path: Path) -> Database:
    """Raises `Unreadable` where there is none: an audit against nothing must not pass."""
    by_package: dict[str, list[Document]] = {}
    count, newest = 0, ""
    for where, content in _documents(path):
        try:
            document = json.loads(content)
            packages = {
                canonicalize_name(affected["package"]["name"])
                for affected in document.get("affected", [])
                if affected.get("package", {}).get("ecosystem") == "PyPI"
            }
            document["id"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"{where} is no advisory in the OSV format: {error!r}") from error
        if packages:
            count += 1
            newest = max(newest, str(document.get("modified", "")))
        for name in packages:
            by_package.setdefault(name, []).append(document)
    if not count:
        raise Unreadable(f"{path} holds no advisory on Python packages; give OSV's export of PyPI, zipped or unpacked")
    return Database(by_package, count, newest)


def _documents(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield str(file), file.read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.endswith(".json"):
                        yield f"{path}:{name}", archive.read(name)
    except (OSError, zipfile.BadZipFile) as error:
        raise Unreadable(f"{path} is no folder or zip file of advisories: {error}") from error


def find(locked: Iterable[Locked], database: Database) -> list[Finding]:
    """What is known of the locked packages, one finding for each vulnerability even where two advisories tell of it."""
    findings: list[Finding] = []
    for package in locked:
        own = [
            Finding(
                package=package.name,
                version=package.version,
                id=document["id"],
                aliases=tuple(sorted(document.get("aliases", []))),
                fixed_in=fixes(document, package.name),
                summary=str(document.get("summary") or document.get("details", "")).strip().partition("\n")[0],
            )
            for document in database.by_package.get(package.name, [])
            if not document.get("withdrawn") and concerns(document, package.name, package.version)
        ]
        findings.extend(merge(own))
    return findings


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """One for each vulnerability: findings on the same pin that share a number are the same. Wants them pin by pin."""
    merged: list[Finding] = []
    for finding in findings:
        same = [other for other in merged if other.ids & finding.ids and other.version == finding.version]
        for other in same:
            merged.remove(other)
            finding = replace(
                other,
                aliases=tuple(sorted((other.ids | finding.ids) - {other.id})),
                fixed_in=tuple(sorted({*other.fixed_in, *finding.fixed_in}, key=_order)),
            )
        merged.append(finding)
    return merged


def concerns(document: Document, name: str, version: str) -> bool:
    """Whether this version of the package is affected."""
    wanted = Version(version)
    return any(
        any(_order(listed) == wanted for listed in affected.get("versions", []))
        or any(_within(wanted, events) for events in _events(affected))
        for affected in _affected(document, name)
    )


def fixes(document: Document, name: str) -> tuple[str, ...]:
    found = {
        event["fixed"]
        for affected in _affected(document, name)
        for events in _events(affected)
        for event in events
        if "fixed" in event
    }
    return tuple(sorted(found, key=_order))


def _affected(document: Document, name: str) -> Iterator[Document]:
    for affected in document["affected"]:
        package = affected.get("package", {})
        if package.get("ecosystem") == "PyPI" and canonicalize_name(package["name"]) == name:
            yield affected


def _events(affected: Document) -> Iterator[list[dict[str, str]]]:
    for span in affected.get("ranges", []):
        if span.get("type") in ("ECOSYSTEM", "SEMVER"):
            yield span.get("events", [])


def _within(version: Version, events: list[dict[str, str]]) -> bool:
    affected = False
    for kind, at in sorted(((kind, at) for event in events for kind, at in event.items()), key=lambda e: _order(e[1])):
        if kind == "introduced" and version >= _order(at):
            affected = True
        elif not _readable(at):
            continue  # an end that cannot be placed ends nothing: rather one finding too many
        elif (kind == "fixed" and version >= _order(at)) or (kind == "last_affected" and version > _order(at)):
            affected = False
    return affected


def _readable(version: str) -> bool:
    try:
        Version(version)
    except InvalidVersion:
        return False
    return True


def _order(version: str) -> Version:
    """For sorting and comparing: `0` and what PEP 440 cannot read come before all versions."""
    return Version(version if version != "0" and _readable(version) else "0.dev0")
