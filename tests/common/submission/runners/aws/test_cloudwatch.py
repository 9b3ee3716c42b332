"""Offsets in a log that is given in pages, against a mock of the one call: moto has no empty pages."""

from collections.abc import Mapping
from typing import Any

import pytest

from common.submission.runners.aws import cloudwatch
from common.submission.runners.aws.cloudwatch import LiveLogs


class MockPages:
    """GetLogEvents over pages of events; the last one grows."""

    def __init__(self, pages: list[list[str]]) -> None:
        self.pages = pages
        self.asked: list[str | None] = []
        self.logs = self

    def get_log_events(self, **asked: Any) -> Mapping[str, Any]:
        token = asked.get("nextToken")
        self.asked.append(token)
        begins = 0 if token is None else int(token)
        events = [{"message": line} for line in (self.pages[begins] if begins < len(self.pages) else [])]
        return {"events": events, "nextForwardToken": str(min(begins + 1, len(self.pages)))}


def live(pages: MockPages) -> LiveLogs:
    return LiveLogs(pages, "group")  # type: ignore[arg-type]  # the mock has the one call


PAGES = [["one", "two"], [], ["three"], ["four"]]
WHOLE = b"one\ntwo\nthree\nfour\n"


@pytest.mark.parametrize("offset", range(len(WHOLE) + 2))
@pytest.mark.parametrize("limit", [1, 5, 100])
def test_any_piece_is_read_whatever_the_pages_of_the_mock(offset: int, limit: int) -> None:
    logs = live(MockPages(PAGES))
    for _ in range(2):
        part = logs.read("stream", offset, limit)
        assert (part.content, part.offset) == (WHOLE[offset : offset + limit], offset)


def test_who_follows_a_log_of_the_mock_does_not_read_it_from_the_beginning() -> None:
    mock = MockPages(PAGES)
    logs = live(mock)
    assert logs.read("stream", 0, 100).content == WHOLE
    mock.asked.clear()
    mock.pages = [*PAGES, ["five"]]
    assert logs.read("stream", len(WHOLE), 100).content == b"five\n"
    assert None not in mock.asked
    assert "1" not in mock.asked


def test_pages_of_few_streams_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch, "_KEPT_STREAMS", 2)
    logs = live(MockPages(PAGES))
    for number in range(5):
        logs.read(f"stream-{number}", 0, 100)
    assert list(logs._streams) == ["stream-3", "stream-4"]
