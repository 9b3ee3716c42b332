"""What docs/scaleout.md shows is what one gets."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from models.scaleout import spark_listener
from tests.support.clients import Client
from tests.support.plugins import make_app
from tests.support.servers import CHECKOUT

PAGE = (CHECKOUT / "docs" / "scaleout.md").read_text(encoding="utf-8")
# A request by curl, and the JSON block that follows it.
EXAMPLE = re.compile(
    r"curl http://127\.0\.0\.1:7071(?P<path>/\S+) -H 'Content-Type: application/json' -d '(?P<body>[^']+)'\n```\n"
    r"(?:(?!```sh)[^`]|`(?!``))*?```json\n(?P<answer>.+?)```",
    re.DOTALL,
)
EXAMPLES = [
    pytest.param(*found.groups(), id=f"{number}{found['path']}") for number, found in enumerate(EXAMPLE.finditer(PAGE))
]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """With the nine runs that the page speaks of."""
    client = Client(make_app(tmp_path / "state", serve=("scaleout",)))
    runs = []
    for number, executors in enumerate((2, 3, 4, 6, 8, 10, 12, 4, 8)):
        start_s = 1_000_000_000.0 + 10_000 * number
        runs.append(
            {
                "execution_id": f"may-{number + 1}",
                "context": {"system": "spark", "algorithm": "gbt", "data_size_mb": 1000},
                "start_s": start_s,
                "end_s": start_s + 30 + 1800 / executors,
                "start_scale_out": executors,
                "end_scale_out": executors,
            }
        )
    assert client.post("/scaleout/applications", json={"applications": runs}).status_code == 200
    return client


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 1)
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return {name: rounded(item) for name, item in value.items()} if isinstance(value, dict) else value


def test_the_page_shows_requests_and_their_answers() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize(("path", "body", "answer"), EXAMPLES)
def test_a_request_of_the_page_gets_the_answer_shown(client: Client, path: str, body: str, answer: str) -> None:
    given = client.post(path, content=body, headers={"Content-Type": "application/json"}).json()
    shown = json.loads(answer)
    # Of the curve one point is shown.
    at = {point["scale_out"] for point in shown.get("curve", ())}
    if at:
        given["curve"] = [point for point in given["curve"] if point["scale_out"] in at]
    assert rounded({name: given[name] for name in shown}) == rounded(shown)


def test_the_properties_of_the_listener_that_the_page_names_are_those_that_it_reads() -> None:
    source = Path(spark_listener.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r"told\.get\(['\"]([a-z]+)['\"]", source)) - {"key"}
    section = PAGE.split("## Attach a real cluster", 1)[1].split("\n## ", 1)[0]
    table = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    named = {name.lower() for row in table for name in re.findall(r"`(\w+)`", row)}
    assert named == read
