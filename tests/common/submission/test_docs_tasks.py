"""docs/tasks.md says what there is."""

import re

from common.submission.states import TaskState
from common.submission.task_config import FIELDS
from tests.support.markdown import assert_same, page


def rows(heading: str) -> list[str]:
    """First cells of the table under a heading."""
    table = page("tasks.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]


def test_every_field_of_a_config_is_described_and_nothing_else() -> None:
    listed = [name for row in rows("The config") for name in re.findall(r"`(\w+)`", row)]
    assert_same(listed, set(FIELDS), "docs/tasks.md")


def test_every_state_is_described_and_nothing_else() -> None:
    listed = [name for row in rows("States") for name in re.findall(r"`([\w-]+)`", row)]
    assert_same(listed, {state.value for state in TaskState}, "docs/tasks.md")
