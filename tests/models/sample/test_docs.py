"""What docs/plugins.md shows of the sample's batches is what a new user gets."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from tests.support.markdown import page
from tests.support.servers import CHECKOUT, Server

_SECTION = re.compile(r"^### The sample's batches\n(.+?)^## ", re.DOTALL | re.MULTILINE)
# A request by curl, and the beginning of its answer as `curl -i` prints it.
_SHOWN = re.compile(r"```sh\ncurl -i http://127\.0\.0\.1:7071(/\S+) (.+?)\n```\n.*?```text\n(.+?)\n```", re.DOTALL)


def section() -> str:
    found = _SECTION.search(page("plugins.md"))
    assert found, "docs/plugins.md has no section on the sample's batches"
    return found[1]


def options(text: str) -> tuple[dict[str, str], str]:
    """The headers and the body that a curl command sends."""
    words = shlex.split(text)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in pairs if name == "-H")
    (body,) = [value for name, value in pairs if name == "-d"]
    return headers, body


def test_the_requests_shown_get_the_answers_shown(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    shown = _SHOWN.findall(section())
    assert len(shown) == 5
    for path, sent, told in shown:
        headers, body = options(sent)
        got = server.post(path, content=body, headers=headers)
        head, _, content = told.partition("\n\n")
        status, *lines = head.splitlines()
        assert status == f"HTTP/1.1 {got.status_code} {got.reason_phrase}"
        for line in lines:
            name, _, value = line.partition(": ")
            assert re.fullmatch(re.escape(value).replace("…", ".+"), got.headers[name]), line
        assert content in ("", got.text)


def test_the_code_shown_is_the_samples() -> None:
    (code,) = re.findall(r"```python\n(def greet.+?)\n```", section(), re.DOTALL)
    source = re.sub(r' *""".+?"""\n', "", Path(CHECKOUT, "models/sample/__init__.py").read_text(), flags=re.DOTALL)
    assert code in source
