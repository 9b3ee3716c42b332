"""Answers that a caller may have already: it sends the `ETag` back, and 304 says that nothing has changed."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

# For answers that depend on who asks, and are asked about each time.
ASK_AGAIN = {"Cache-Control": "private, no-cache"}


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has what bears this tag: by the weak comparison, as RFC 9110 has it for `If-None-Match`."""
    return if_none_match is not None and bool(
        {_opaque(etag), "*"} & {_opaque(tag.strip()) for tag in if_none_match.split(",")}
    )


def not_modified(etag: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status_code=304, headers={**(headers or {}), "ETag": etag})


def tag_of(rows: Iterable[Sequence[object]]) -> str:
    """The tag of a list, made of what names each row and its state; another order or number is another tag.

    Weak: the same list may be sent compressed or not.
    """
    found = hashlib.blake2b(digest_size=12)
    for row in rows:
        found.update(repr(tuple(row)).encode())
    return f'W/"{found.hexdigest()}"'


@dataclass(frozen=True)
class Listing:
    """A page of a list.

    Parameters
    ----------
    body : as JSON.
    marks : what names each row and its state.
    """

    body: str
    marks: Iterable[Sequence[object]]


def answer_listing(
    if_none_match: str | None, marks: Callable[[], Iterable[Sequence[object]]], read: Callable[[], Listing]
) -> Response:
    """A page of a list, or 304 where the caller has it: then only its marks are read, which costs a tenth."""
    if if_none_match is not None:
        etag = tag_of(marks())
        if is_unchanged(if_none_match, etag):
            return not_modified(etag, ASK_AGAIN)
    found = read()
    return Response(found.body, headers={**ASK_AGAIN, "ETag": tag_of(found.marks)}, media_type="application/json")


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
