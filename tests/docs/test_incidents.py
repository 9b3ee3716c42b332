"""Every alert leads to a section of docs/incidents.md, and every section is of an alert that there is."""

import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.support.markdown import anchors, page, row_names

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "deployment/prometheus/rules.yml").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_section_which_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    place, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert place == "/console/help/incidents.html"
    assert anchor in anchors(page("incidents.md"))
    section = page("incidents.md").partition(f"\n## {rule['alert']}\n")[2].partition("\n## ")[0]
    assert re.search(r"^1\. ", section, re.MULTILINE), "no first step"


def test_no_section_is_of_an_alert_that_is_gone() -> None:
    sections = re.findall(r"^## (Atoll\w+)$", page("incidents.md"), re.MULTILINE)
    assert sections == [rule["alert"] for rule in ALERTS]


def test_every_alert_of_azure_is_in_the_table() -> None:
    text = (ROOT / "terraform/modules/monitoring/alerts.tf").read_text(encoding="utf-8")
    declared = re.findall(r"^    ([a-z-]+) = \{$", text, re.MULTILINE)
    assert len(declared) > 8
    assert row_names(page("incidents.md").partition("## Azure's own alerts")[2].partition("\n## ")[0]) == declared


def test_commands_of_atoll_that_a_step_names_exist() -> None:
    from common.cli.commands import COMMANDS, load

    known = {name: command for section in COMMANDS.values() for name, command in section.items()}
    for name, sub in re.findall(r"`atoll (\w+)(?: ([a-z-]+))?", page("incidents.md")):
        assert name in known
        commands = getattr(load(name, known[name]), "commands", {})
        assert not commands or sub in commands, f"atoll {name} {sub}"
