"""Grafana's dashboards as they lie in `deployment/grafana`: what each panel asks Prometheus, and how it shows that."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "deployment" / "grafana"
# `$name` and `${name}`; names of Grafana's own begin with two underscores.
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class Target:
    """One expression of a panel; `legend` names its series, with `{{label}}` for what they are told apart by."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes
    ----------
    kind : `stat`, `timeseries`, `heatmap`, or `row`, which is a heading.
    place : left, top, width and height in Grafana's grid, which is 24 wide.
    """

    kind: str
    title: str
    unit: str
    place: tuple[int, int, int, int]
    targets: tuple[Target, ...] = ()
    is_stacked: bool = False


@dataclass(frozen=True)
class Dashboard:
    """One file; `name` is that of the file."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read(name: str) -> Dashboard:
    """Raises `FileNotFoundError` where there is no such dashboard."""
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Dashboard(name, found["title"], tuple(_panel(one) for one in found["panels"]))


def filled(expr: str, interval: str) -> str:
    """The expression with everything chosen in the dashboard's lists, and rates over `interval`, e.g. `30s`."""
    return _VARIABLE.sub(lambda name: interval if name[1] == "__rate_interval" else ".*", expr)


def _panel(found: dict[str, Any]) -> Panel:
    defaults = found.get("fieldConfig", {}).get("defaults", {})
    grid = found["gridPos"]
    return Panel(
        found["type"],
        found["title"],
        defaults.get("unit") or found.get("options", {}).get("yAxis", {}).get("unit", "short"),
        (grid["x"], grid["y"], grid["w"], grid["h"]),
        tuple(Target(one["expr"], one.get("legendFormat") or "") for one in found.get("targets", ())),
        defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal",
    )
