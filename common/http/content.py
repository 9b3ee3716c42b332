"""Bytes that are served as they are: compressed once, named by their digest."""

import gzip
import hashlib
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from common.http.conditional import is_unchanged

_COMPRESSED = ("text/", "application/json", "application/geo+json", "image/svg+xml")
# Below it, compression saves no packet.
WORTH_BYTES = 600


@dataclass(frozen=True, slots=True)
class Content:
    """One page or file.

    Parameters
    ----------
    compressed : the body by gzip; None where that saves nothing.
    etag : as in the header, with its quotes.
    """

    body: bytes
    compressed: bytes | None
    media_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Content":
        smaller = None
        if media_type.startswith(_COMPRESSED) and len(body) >= WORTH_BYTES:
            # The same bytes give the same answer in every process: no time in its header.
            smaller = gzip.compress(body, 9, mtime=0)
        return cls(body, smaller, media_type, f'"{digest(body)}"')

    def answer(self, request: Request, headers: dict[str, str]) -> Response:
        """The answer with these headers; 304 where the caller has it already."""
        found = {**headers, "ETag": self.etag, "Vary": "Accept-Encoding"}
        if is_unchanged(request.headers.get("if-none-match"), self.etag):
            return Response(status_code=304, headers=found)
        body = self.body
        if self.compressed is not None and takes_gzip(request.headers.get("accept-encoding", "")):
            body, found["Content-Encoding"] = self.compressed, "gzip"
        return Response(body, headers=found, media_type=self.media_type)


def digest(data: bytes) -> str:
    """Short, for addresses and ETags."""
    return hashlib.sha256(data).hexdigest()[:16]


def takes_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` names gzip, and not with `q=0`."""
    for item in accepted.lower().split(","):
        name, _, weight = item.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
