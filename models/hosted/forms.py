"""Forms with one file, which may be larger than memory: its pieces are handed on as they come."""

from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request

from common.errors import Invalid
from common.http.forms import Part, Taker, is_form, read_form

__all__ = ["FormReader", "is_form"]

_MAX_FIELDS = 20
_FIELD_BYTES = 65_536

Take = Callable[[bytes], Awaitable[None]]


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

    async def read(self) -> None:
        """
        Raises
        ------
        BadRequest
            It is no form, or ends too soon.
        Invalid
            It has no file, more than one, or too many fields.
        """
        await read_form(self._request, self._begin, max_parts=_MAX_FIELDS + 1, example="curl -F path=@file")
        if not self._has_file:
            first = next(iter(self._names))
            raise Invalid.field(first, f"the form has no file of this name; send it as `-F {first}=@file`")

    async def _begin(self, part: Part) -> Taker:
        if part.name not in self._names:
            return _Text(part.name[:80], self.fields)
        if self._has_file:
            raise Invalid.field(part.name, "the form has more than one file; send one at a time")
        self._has_file = True
        self.filename, self.media_type = part.filename or "", part.media_type
        return _File(self._take)


class _File:
    def __init__(self, take: Take) -> None:
        self._take = take

    async def write(self, piece: bytes) -> None:
        await self._take(piece)

    async def end(self) -> None:
        pass


class _Text:
    def __init__(self, name: str, fields: dict[str, str]) -> None:
        self._name = name
        self._fields = fields
        self._text = bytearray()

    async def write(self, piece: bytes) -> None:
        self._text += piece
        if len(self._text) > _FIELD_BYTES:
            raise Invalid.field(self._name, f"longer than {_FIELD_BYTES} bytes")

    async def end(self) -> None:
        self._fields[self._name] = self._text.decode("utf-8", "replace")
