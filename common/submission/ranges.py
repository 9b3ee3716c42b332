"""Ranges of bytes that a request asks for (RFC 9110, section 14). Pure."""

import re
from collections.abc import Mapping

from common.errors import AtollError

_ONE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})", re.IGNORECASE)


class NotThere(AtollError):
    """The range begins behind the end."""

    status, title, slug = 416, "Range not satisfiable", "range-not-satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"there are {size_bytes} bytes so far; ask for a range that begins before that",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )


def asked(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """First byte, and the one after the last, of the range asked for; None for all of it.

    Several ranges, and what is no range, are answered with all of it, as the RFC allows.

    Raises
    ------
    NotThere
    """
    found = _ONE.fullmatch(header.strip()) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        count = min(int(last), size_bytes)
        if not count:
            raise NotThere(size_bytes)
        return size_bytes - count, size_bytes
    start = int(first)
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    if last and int(last) < start:
        return None
    if start >= size_bytes:
        raise NotThere(size_bytes)
    return start, end


def content_range(start: int, end: int, size_bytes: int | None) -> Mapping[str, str]:
    """The headers of a part."""
    total = "*" if size_bytes is None else str(size_bytes)
    return {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
