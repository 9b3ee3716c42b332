"""A body that arrives in an event loop, for a write that waits in a thread."""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from anyio import from_thread

from common.errors import BadRequest, Invalid, TooLarge
from common.storage.share import CHUNK_BYTES

# A caller that sends nothing for so long is gone, or means to keep a thread busy.
_STALL_S = 60.0

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_SHA256_MEMBER = re.compile(r"(?:^|,)\s*sha-256\s*=\s*([^,;\s]*)")


@dataclass(eq=False)
class Incoming:
    """The parts of a body as an iterator for a thread that anyio started, while the event loop receives them.

    Parameters
    ----------
    stream : the parts as they arrive.
    max_bytes : more is TooLarge.
    sha256 : what the digest must be, in lower-case hex; None for anything.
    setting : the variable that `max_bytes` comes from.

    Attributes
    ----------
    digest : of what was handed out.
    size_bytes : of what was received.
    """

    stream: AsyncIterator[bytes]
    max_bytes: int
    sha256: str | None = None
    setting: str = "MAX_DATASET_BYTES"
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    size_bytes: int = 0

    def __iter__(self) -> Iterator[bytes]:
        """
        Raises
        ------
        TooLarge
        Invalid
            After the last part: the digest is not the one that was told. A write ends without an effect.
        BadRequest
            Nothing arrives any more.
        """
        while chunk := from_thread.run(self._next):
            self.digest.update(chunk)
            yield chunk
        found = self.digest.hexdigest()
        if self.sha256 is not None and found != self.sha256:
            raise Invalid(
                f"the body's SHA-256 is {found}, not {self.sha256} as told; nothing was written, send it again"
            )

    async def _next(self) -> bytes:
        """A part of at least a chunk, or the last; each one crosses from the event loop to the thread."""
        waiting = bytearray()
        while len(waiting) < CHUNK_BYTES:
            try:
                async with asyncio.timeout(_STALL_S):
                    part = await anext(self.stream, None)
            except TimeoutError:
                raise BadRequest(f"nothing arrived for {_STALL_S:.0f} s; nothing was written, send it again") from None
            if part is None:
                break
            self.size_bytes += len(part)
            if self.size_bytes > self.max_bytes:
                raise TooLarge(f"the file is larger than {self.max_bytes} bytes; send less, or raise {self.setting}")
            waiting += part
        return bytes(waiting)


def told_sha256(content_digest: str | None, checksum: str | None) -> str | None:
    """The SHA-256 in lower-case hex that the headers `Content-Digest` (RFC 9530) or `X-Checksum-Sha256` tell.

    Other algorithms in `Content-Digest` are passed over, as the RFC says.

    Raises
    ------
    Invalid
        It is no SHA-256, or the two differ.
    """
    told = set()
    if checksum is not None:
        if not _HEX.fullmatch(checksum.strip()):
            raise Invalid.field("X-Checksum-Sha256", "64 hex digits", checksum, where="header")
        told.add(checksum.strip().lower())
    if content_digest is not None and (member := _SHA256_MEMBER.search(content_digest)):
        told.add(_from_member(member[1]).hex())
    if len(told) > 1:
        raise Invalid("Content-Digest and X-Checksum-Sha256 tell different digests; send one of them")
    return told.pop() if told else None


def _from_member(value: str) -> bytes:
    try:
        if not (value.startswith(":") and value.endswith(":")):
            raise ValueError
        digest = base64.b64decode(value[1:-1], validate=True)
        if len(digest) != hashlib.sha256().digest_size:
            raise ValueError
    except (ValueError, binascii.Error):
        raise Invalid.field("Content-Digest", "sha-256=:<32 bytes in base64>:", value, where="header") from None
    return digest
