"""docs/clusters.md lists what each kind of cluster can be told, and its examples can be used."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from common.submission.clusters import read
from common.submission.config import ClusterConfig
from common.submission.kinds import KINDS
from tests.support.markdown import assert_same, page, row_names

_BASE = {name for name in ClusterConfig.model_fields if name != "name"}


def listed() -> dict[str, list[str]]:
    """The fields of each kind, by the headings that they stand under; those of all under an empty name."""
    found: dict[str, list[str]] = defaultdict(list)
    kinds: list[str] | None = None
    for line in page("clusters.md").splitlines():
        if line.startswith("#"):
            kinds = [name for name in re.findall(r"`([^`]+)`", line) if name in KINDS]
            if line == "## What every section may hold":
                kinds = [""]
        else:
            for kind in kinds or ():
                found[kind] += row_names(line)
    return found


def examples() -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```", page("clusters.md"), re.MULTILINE | re.DOTALL)


def test_what_every_kind_has_is_listed() -> None:
    assert_same(listed()[""], _BASE, "docs/clusters.md, What every section may hold")


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_field_of_a_kind_is_listed_and_nothing_else(kind: str) -> None:
    own = set(KINDS[kind].config_class().model_fields) - _BASE - {"name"}
    assert_same(listed()[kind], own, f"docs/clusters.md, {kind}")


@pytest.mark.parametrize("text", examples(), ids=lambda text: text.splitlines()[0].split()[0])
def test_every_example_can_be_used(text: str) -> None:
    assert read(text, {}, state_dir=Path("/state"))


def test_every_kind_has_an_example() -> None:
    found = {kind for text in examples() for kind in re.findall(r'^kind = "(.*)"', text, re.MULTILINE)}
    assert found == set(KINDS)
