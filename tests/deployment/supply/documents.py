"""Advisories in the shape that OSV exports, on packages that are not Atoll's."""

import json
from pathlib import Path
from typing import Any

from deployment.supply.lock import Locked


def advisory(
    number: str = "PYSEC-2026-7",
    *,
    name: str = "Some_Package",
    events: list[dict[str, str]] | None = None,
    versions: list[str] | None = None,
    aliases: tuple[str, ...] = ("CVE-2026-1234", "GHSA-aaaa-bbbb-cccc"),
    **more: Any,
) -> dict[str, Any]:
    """One document. Without events: from the first version on, fixed in 2.0.1."""
    return {
        "schema_version": "1.7.3",
        "id": number,
        "modified": "2026-11-20T10:11:12.345678Z",
        "published": "2026-11-02T00:00:00Z",
        "aliases": list(aliases),
        "summary": "Reads files that it should not.",
        "details": "A long text.\n\nWith paragraphs.",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}],
        "affected": [
            {
                "package": {"name": name, "ecosystem": "PyPI", "purl": f"pkg:pypi/{name.lower()}"},
                "ranges": [
                    {"type": "GIT", "repo": "https://example.org/it", "events": [{"introduced": "0"}]},
                    {"type": "ECOSYSTEM", "events": events or [{"introduced": "0"}, {"fixed": "2.0.1"}]},
                ],
                "versions": versions or [],
                "database_specific": {"source": "elsewhere"},
            }
        ],
        "references": [{"type": "WEB", "url": "https://example.org"}],
        **more,
    }


def export(folder: Path, *documents: dict[str, Any]) -> Path:
    """A folder as OSV's export unpacks to."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        (folder / f"{document['id']}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def pin(name: str = "some-package", version: str = "2.0.0", marker: str = "") -> Locked:
    return Locked(name, version, marker, ("0" * 64,), ("atoll",))
