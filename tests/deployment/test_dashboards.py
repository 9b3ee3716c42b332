"""Dashboards and alert rules: valid by the tools of the lab, and about metrics that a running Atoll has."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.support.backends import missing
from tests.support.datasets import CHECKOUT
from tests.support.markdown import page, row_names
from tests.support.servers import Server

FOLDER = CHECKOUT / "deployment" / "grafana"
RULES = CHECKOUT / "deployment" / "prometheus" / "rules.yml"
CHECK = CHECKOUT.parent / "shared" / "lab" / "grafana" / "check.py"
DASHBOARDS = sorted(FOLDER.glob("*.json"))
_METRIC = re.compile(r"\batoll_\w+")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def strings(value: object, key: str) -> Iterator[str]:
    """Every text that stands under `key`, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and isinstance(inner, str):
                yield inner
            yield from strings(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)


def expressions(path: Path) -> list[str]:
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path == RULES else read(path)
    return [*strings(found, "expr"), *strings(found, "query")]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the series that a running Atoll can have; of several processes only those in use are told."""
    server = Server(tmp_path_factory.mktemp("state"), env={"SERVICE_MODEL": "sample", "JOB_ISOLATION": "thread"})
    try:
        types = re.findall(r"^# TYPE (\w+) (\w+)$", server.get("/metrics").text, re.MULTILINE)
    finally:
        server.stop()
    names = set[str]()
    for name, kind in types:
        names |= {f"{name}_{end}" for end in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


def test_there_is_a_dashboard_for_service_models_jobs_and_clusters() -> None:
    assert [path.stem for path in DASHBOARDS] == ["clusters", "jobs", "models", "service"]


def test_no_two_dashboards_share_a_name() -> None:
    names = [(read(path)["uid"], read(path)["title"]) for path in DASHBOARDS]
    assert len({uid for uid, _ in names}) == len({title for _, title in names}) == len(names)


def test_dashboards_pass_grafanas_schema_and_their_expressions_parse() -> None:
    if not CHECK.exists():
        pytest.skip("../shared/lab is not here: no schema of Grafana")
    run = subprocess.run([str(CHECK), *map(str, DASHBOARDS)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", [*DASHBOARDS, RULES], ids=lambda path: path.stem)
def test_every_metric_that_is_asked_for_is_one_that_atoll_has(path: Path, exposed: set[str]) -> None:
    asked = {name for text in expressions(path) for name in _METRIC.findall(text)}
    assert asked
    assert sorted(asked - exposed) == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_says_what_it_shows(path: Path) -> None:
    panels = [panel for panel in read(path)["panels"] if panel["type"] != "row"]
    assert [panel["title"] for panel in panels if not panel.get("description")] == []


def test_alert_rules_do_in_their_cases_what_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool is not installed; Debian's package prometheus has it")
    run = subprocess.run(
        [promtool, "test", "rules", "rules_test.yml"], cwd=RULES.parent, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    tests = yaml.safe_load((RULES.parent / "rules_test.yml").read_text(encoding="utf-8"))["tests"]
    cases = [(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]]
    alerts = alert_names()
    assert {name for name, fires in cases if fires} == alerts
    assert {name for name, fires in cases if not fires} == alerts


def test_every_alert_is_explained() -> None:
    assert {name for name in row_names(page("monitoring.md")) if name.startswith("Atoll")} == alert_names()


def alert_names() -> set[str]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}
