"""What the README shows is what a new user gets."""

import json
import re
from typing import Any

import pytest

from common.settings import CHECKOUT
from tests.support.servers import Server

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
# A request by curl, and the JSON block that follows it.
EXAMPLE = re.compile(
    r"curl http://127\.0\.0\.1:7071(?P<path>/\S+) -H 'Content-Type: application/json' -d '(?P<body>[^']+)'\n```"
    r".*?```json\n(?P<answer>.+?)```",
    re.DOTALL,
)
EXAMPLES = [pytest.param(*found.groups(), id=found["path"]) for found in EXAMPLE.finditer(README)]


def rounded(value: Any) -> Any:
    """Numbers as the README shows them."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return value


def test_the_readme_shows_three_requests() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize(("path", "body", "answer"), EXAMPLES)
def test_a_request_of_the_readme_gets_the_answer_shown(
    sample_server: Server, path: str, body: str, answer: str
) -> None:
    given = sample_server.client.post(path, content=body, headers={"Content-Type": "application/json"}).json()
    shown = json.loads(answer)
    assert {name: rounded(given[name]) for name in shown} == shown


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = README.split("```sh\n", 1)[1].split("```", 1)[0]
    assert [line.split("#")[0].strip() for line in opening.splitlines()] == ["make run", "make test"]
