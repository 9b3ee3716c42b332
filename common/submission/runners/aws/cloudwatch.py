"""The log of a running task, from CloudWatch.

It gives events in pages, and knows no offsets: where pages begin is kept, so that whoever follows a log does not read
it from the beginning each time.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from common.submission.records import LogPart
from common.submission.runners.aws.connection import Connection
from common.submission.runners.aws.failures import reporting

_KEPT_STREAMS = 200
# A page has at most 1 MB of events; so much is read for one call.
_MAX_PAGES = 20


@dataclass
class _Pages:
    """Where pages of a stream begin: the offset, and the token that asks for it."""

    starts: list[tuple[int, str | None]] = field(default_factory=lambda: [(0, None)])


class LiveLogs:
    """Logs by stream of one group."""

    def __init__(self, connection: Connection, group: str) -> None:
        self._connection = connection
        self._group = group
        self._lock = threading.Lock()
        self._streams: OrderedDict[str, _Pages] = OrderedDict()

    def read(self, stream: str, offset: int, limit: int) -> LogPart:
        """A piece of a log; each event is a line. Empty where there is no such stream yet."""
        pages = self._pages(stream)
        starts = list(pages.starts)
        begins, token = next(start for start in reversed(starts) if start[0] <= offset)
        found = bytearray()
        at = begins
        for _ in range(_MAX_PAGES):
            text, following = self._page(stream, token)
            found += text
            at += len(text)
            if following is None or following == token:
                break
            token = following
            if text:
                self._remember(pages, at, token)
            # A page may be empty before the end; only the same token again is the end.
            if at >= offset + limit:
                break
        return LogPart(bytes(found[offset - begins : offset - begins + limit]), offset)

    def _page(self, stream: str, token: str | None) -> tuple[bytes, str | None]:
        from botocore.exceptions import ClientError

        asked: dict[str, Any] = {"logGroupName": self._group, "logStreamName": stream, "startFromHead": True}
        if token is not None:
            asked["nextToken"] = token
        with reporting("reading the log"):
            try:
                answer = self._connection.logs.get_log_events(**asked)
            except ClientError as exc:
                if exc.response["Error"]["Code"] == "ResourceNotFoundException":
                    return b"", None
                raise
        text = "".join(f"{event['message']}\n" for event in answer.get("events", []))
        return text.encode("utf-8", "replace"), answer.get("nextForwardToken")

    def _pages(self, stream: str) -> _Pages:
        with self._lock:
            pages = self._streams.setdefault(stream, _Pages())
            self._streams.move_to_end(stream)
            while len(self._streams) > _KEPT_STREAMS:
                self._streams.popitem(last=False)
            return pages

    def _remember(self, pages: _Pages, at: int, token: str) -> None:
        with self._lock:
            if at > pages.starts[-1][0]:
                pages.starts.append((at, token))
