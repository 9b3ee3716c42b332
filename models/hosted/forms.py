"""Forms (`multipart/form-data`) with a file that may be larger than memory: its pieces are handed on as they come."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from starlette.requests import Request

from common.errors import BadRequest, Invalid

_FORM = "multipart/form-data"
_MAX_FIELDS = 20
_FIELD_BYTES = 65_536

Take = Callable[[bytes], Awaitable[None]]


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


class FormReader:
    """Reads one form with one file.

    Parameters
    ----------
    names : fields that the file may stand in; the first is the one that is told.
    take : gets the file's pieces.

    Attributes
    ----------
    fields : the other fields, as text.
    filename, media_type : of the file, as told.
    """

    def __init__(self, request: Request, names: Collection[str], take: Take) -> None:
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.media_type = ""
        self._request = request
        self._names = names
        self._take = take
        self._has_file = False
        self._is_complete = False
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._is_file = False
        self._text = bytearray()
        # The parser's callbacks cannot wait, so what they were given is handed on after each piece of the body.
        self._pieces: list[bytes] = []

    async def read(self) -> None:
        """
        Raises
        ------
        BadRequest
            It is no form, or ends too soon.
        Invalid
            It has no file, more than one, or too many fields.
        """
        # Only uploads need it.
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header

        _, options = parse_options_header(self._request.headers.get("content-type", ""))
        boundary = options.get(b"boundary")
        if not boundary:
            raise BadRequest("the form names no boundary; send it as `curl -F path=@file` does")
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_header_begin": self._begin_header,
            "on_header_field": self._header_field,
            "on_header_value": self._header_part,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_end": self._complete,
        }
        try:
            parser = MultipartParser(boundary, callbacks)
            async for piece in self._request.stream():
                parser.write(piece)
                for part in self._pieces:
                    await self._take(part)
                self._pieces.clear()
            parser.finalize()
        except FormParserError as exc:
            raise BadRequest(f"the form cannot be read: {exc}; send it as `curl -F path=@file` does") from None
        if not self._is_complete:
            raise BadRequest("the form ends before its last boundary; nothing was kept, send it again")
        if not self._has_file:
            first = next(iter(self._names))
            raise Invalid.field(first, f"the form has no file of this name; send it as `-F {first}=@file`")

    def _begin(self) -> None:
        self._headers, self._text = {}, bytearray()

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
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = self._name in self._names
        if self._is_file:
            if self._has_file:
                raise Invalid.field(self._name, "the form has more than one file; send one at a time")
            self._has_file = True
            self.filename = options.get(b"filename", b"").decode("utf-8", "replace")
            self.media_type = (
                self._headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
            )
        elif len(self.fields) >= _MAX_FIELDS:
            raise Invalid(f"the form has more than {_MAX_FIELDS} fields")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _FIELD_BYTES:
            raise Invalid.field(self._name[:80], f"longer than {_FIELD_BYTES} bytes")

    def _end(self) -> None:
        if not self._is_file:
            self.fields[self._name[:80]] = self._text.decode("utf-8", "replace")

    def _complete(self) -> None:
        self._is_complete = True
