"""Forms (`multipart/form-data`) whose parts may be larger than memory: their pieces are handed on as they come."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request

from common.errors import BadRequest, Invalid

_FORM = "multipart/form-data"


@dataclass(frozen=True)
class Part:
    """The head of a part.

    Parameters
    ----------
    name : of the field.
    filename : as the caller named the file; None where the part is a plain field.
    headers : by name in lower case.
    """

    name: str
    filename: str | None
    headers: Mapping[str, str]

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Taker(Protocol):
    """What takes the content of a part."""

    async def write(self, piece: bytes) -> None: ...
    async def end(self) -> None: ...


Begin = Callable[[Part], Awaitable[Taker]]


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


async def read_form(request: Request, begin: Begin, *, max_parts: int, example: str) -> None:
    """Read a form to its end.

    Parameters
    ----------
    begin : gives whatever takes the part that begins; what it raises ends the reading.
    example : how to send it, e.g. `curl -F path=@file`.

    Raises
    ------
    BadRequest
        It is no form, or ends too soon.
    Invalid
        It has more parts than may be.
    """
    # Only uploads need it.
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadRequest(f"the form names no boundary; send it as `{example}` does")
    events = _Events()
    taker: Taker | None = None
    count = 0
    try:
        parser = MultipartParser(boundary, events.callbacks())
        async for piece in request.stream():
            parser.write(piece)
            for event in events.take():
                if isinstance(event, Part):
                    count += 1
                    if count > max_parts:
                        raise Invalid(f"the form has more than {max_parts} fields")
                    taker = await begin(event)
                elif taker is not None and event is not None:
                    await taker.write(event)
                elif taker is not None:
                    await taker.end()
        parser.finalize()
    except FormParserError as exc:
        raise BadRequest(f"the form cannot be read: {exc}; send it as `{example}` does") from None
    if not events.is_complete:
        raise BadRequest("the form ends before its last boundary; nothing was kept, send it again")


class _Events:
    """What the parser found: the head of a part, pieces of its content, None for its end.

    The parser's callbacks cannot wait, so all is handed on after each piece of the body.
    """

    def __init__(self) -> None:
        self.is_complete = False
        self._found: list[Part | bytes | None] = []
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_part_end": lambda: self._found.append(None),
            "on_header_begin": self._begin_header,
            "on_header_field": self._header_field,
            "on_header_value": self._header_part,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_end": self._complete,
        }

    def take(self) -> "list[Part | bytes | None]":
        found, self._found = self._found, []
        return found

    def _begin(self) -> None:
        self._headers = {}

    def _begin_header(self) -> None:
        self._header_name = self._header_value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_part(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value

    def _end_headers(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        filename = options.get(b"filename")
        headers = {
            name.decode("latin-1"): value.decode("utf-8", "replace").strip() for name, value in self._headers.items()
        }
        name = options.get(b"name", b"").decode("utf-8", "replace")
        told = None if filename is None else filename.decode("utf-8", "replace")
        self._found.append(Part(name, told, headers))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(data[start:end])

    def _complete(self) -> None:
        self.is_complete = True
