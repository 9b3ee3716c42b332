"""The requests that a page shows, with their answers."""

import json
import re
from typing import Any

from tests.support.markdown import page
from tests.support.servers import Server

# A request by curl, and the JSON block that follows it.
_EXAMPLE = re.compile(
    r"curl http://127\.0\.0\.1:7071(?P<path>/\S+) -H 'Content-Type: application/json' -d '(?P<body>[^']+)'\n```"
    r".*?```json\n(?P<answer>.+?)```",
    re.DOTALL,
)


def examples(name: str) -> list[tuple[str, str, str]]:
    """Path, body and answer of each request of a page in `docs/`."""
    found = [(item["path"], item["body"], item["answer"]) for item in _EXAMPLE.finditer(page(name))]
    assert found, f"docs/{name} shows no request"
    return found


def assert_answered(server: Server, path: str, body: str, answer: str) -> None:
    """The server answers with what the page shows; the page may leave fields out, and rounds to three digits."""
    response = server.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text[:500]
    shown = json.loads(answer)
    given = response.json()
    assert {name: _rounded(given[name]) for name in shown} == shown


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return value
