"""A model on its way in: the body becomes a file of this machine, piece by piece; the memory it takes stays flat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request

from common.errors import BadRequest, Invalid, UnsupportedMediaType
from common.storage.incoming import told_sha256
from common.storage.landing import Landing, sweep, too_large
from models.hosted.forms import FormReader, is_form

# Lifts the framework's own limit, whose answer is no problem+json; ours is a setting.
ANY_SIZE = 1 << 50
FIELD = "path"
SETTING = "MAX_MODEL_BYTES"
# Pieces cross to a thread, which digests and writes them, so they are not too small.
_PIECE_BYTES = 1 << 20
# A thread each for milliseconds; those of other routes stay free.
_WRITES = CapacityLimiter(4)
# Boundaries and the other fields of a form.
_FORM_BYTES = 1 << 20


@dataclass(frozen=True)
class Received:
    """A file that has arrived.

    Parameters
    ----------
    filename : as the caller named it, without a path.
    sha256 : in hex.
    fields : the other fields of the form; empty where the body was the file itself.
    """

    path: Path
    filename: str
    size_bytes: int
    sha256: str
    fields: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def received(request: Request, folder: Path, max_bytes: int, filename: str = "") -> AsyncIterator[Received]:
    """The file that a request carries: the field `path` (or `file`) of a form, or the body itself. It goes at the end.

    Parameters
    ----------
    folder : of a local disk.
    filename : of a body that is the file itself.

    Raises
    ------
    BadRequest, TooLarge, UnsupportedMediaType, Invalid, Unavailable
        Nothing is left of the file.
    """
    told_bytes = request.headers.get("content-length", "")
    if told_bytes.isdigit() and int(told_bytes[:30]) > max_bytes + _FORM_BYTES:
        raise too_large(max_bytes, SETTING)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {encoding[:40]!r}; send the file as it is, without one")
    # Content-Digest is of the body, which of a form is not the file.
    digest = None if is_form(request) else request.headers.get("content-digest")
    expected = told_sha256(digest, request.headers.get("x-checksum-sha256"))
    await to_thread.run_sync(sweep, folder)
    landing = await to_thread.run_sync(Landing, folder, max_bytes, SETTING)
    try:
        fields, told_name = await _receive(request, landing)
        if landing.size_bytes == 0:
            raise Invalid.field(FIELD, "the file is empty; send the model's file")
        found = landing.digest.hexdigest()
        if expected is not None and found != expected:
            raise Invalid(f"the file's SHA-256 is {found}, not {expected} as told; nothing was kept, send it again")
        yield Received(landing.path, plain_name(told_name or filename), landing.size_bytes, found, fields)
    finally:
        landing.close()


def plain_name(filename: str) -> str:
    """The last part of a name as a caller told it, fit to be shown and kept."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in name if char.isprintable())[-200:].strip() or "model"


async def _receive(request: Request, landing: Landing) -> tuple[dict[str, str], str]:
    """The fields of the form, and the file's name in it."""
    waiting = bytearray()

    async def take(piece: bytes) -> None:
        waiting.extend(piece)
        if len(waiting) >= _PIECE_BYTES:
            await flush()

    async def flush() -> None:
        if waiting:
            piece = bytes(waiting)
            waiting.clear()
            await to_thread.run_sync(landing.write, piece, limiter=_WRITES)

    form = FormReader(request, [FIELD, "file"], take) if is_form(request) else None
    try:
        if form is not None:
            await form.read()
        else:
            async for piece in request.stream():
                await take(piece)
    except ClientDisconnect:
        raise BadRequest("the upload was interrupted; nothing was kept, send it again") from None
    await flush()
    return (form.fields, form.filename) if form is not None else ({}, "")
