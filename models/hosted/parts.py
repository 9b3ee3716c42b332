"""Uploads in parts, for hosts that take no bodies of more than 100 MB, and for lines that break: what arrived stays.

The parts lie on the share, so that each may go to another host. Nobody sees anything of it before it is complete, and
what is never completed goes after `JOB_RESULT_DAYS`. All functions block.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import orjson

from common.clock import new_id
from common.errors import Conflict, Invalid, NotFound
from common.storage import FileMissing, Share
from common.storage.landing import Landing, too_large
from models.hosted.definitions import NewUpload, Upload

FOLDER = "hosted/uploads"
_HEAD, _DONE = "upload.json", "done.json"
_ID = re.compile(r"[0-9a-z]{27}")
# More files than a share lists in a second or two.
_MAX_PARTS = 1000


@dataclass(frozen=True)
class Begun:
    """An upload as it was begun.

    Parameters
    ----------
    sha256 : of the whole, in hex.
    part_bytes : of each part but the last.
    """

    id: str
    tag: str
    filename: str
    size_bytes: int
    sha256: str
    part_bytes: int
    library_version: str | None = None
    model_description: str | None = None
    alias: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        return -(-self.size_bytes // self.part_bytes)

    def bytes_of(self, number: int) -> int:
        """Size of a part, the first being number 1."""
        return self.part_bytes if number < self.parts else self.size_bytes - self.part_bytes * (self.parts - 1)


def begin(share: Share, asked: NewUpload, *, part_bytes: int, max_bytes: int) -> Begun:
    """
    Raises
    ------
    TooLarge
    ShareFull, ShareDown
    """
    if asked.size_bytes > max_bytes:
        raise too_large(max_bytes, "MAX_MODEL_BYTES")
    # A file of any size has a bounded number of parts; each is still one that every host takes, or nearly.
    part_bytes = max(part_bytes, -(-asked.size_bytes // _MAX_PARTS))
    begun = Begun(id=new_id(), part_bytes=part_bytes, **asked.model_dump())
    share.write(f"{FOLDER}/{begun.id}/{_HEAD}", [orjson.dumps(asdict(begun))])
    return begun


def find(share: Share, upload_id: str) -> Begun:
    """
    Raises
    ------
    NotFound
    """
    if _ID.fullmatch(upload_id):
        try:
            return Begun(**orjson.loads(b"".join(share.read(f"{FOLDER}/{upload_id}/{_HEAD}"))))
        except FileMissing:
            pass
    raise NotFound(f"there is no upload {upload_id[:40]!r}; begin one with POST /hosted/uploads")


def told(share: Share, begun: Begun) -> Upload:
    """How far it is."""
    return Upload(
        id=begun.id,
        tag=begun.tag,
        filename=begun.filename,
        size_bytes=begun.size_bytes,
        part_bytes=begun.part_bytes,
        parts=begun.parts,
        received=sorted(_received(share, begun)),
        version=version_of(share, begun),
    )


def put(share: Share, begun: Begun, number: int, chunks: Iterable[bytes]) -> None:
    """Keep a part; the same number again replaces it.

    Raises
    ------
    Invalid
        There is no such part, or it has another size.
    Conflict
        The upload is complete.
    """
    if not 1 <= number <= begun.parts:
        raise Invalid.field("number", f"the upload has parts 1 to {begun.parts}", number, where="path")
    if version_of(share, begun) is not None:
        raise Conflict(f"upload {begun.id} is complete; begin another one")
    share.write(_part(begun, number), _exactly(chunks, begun.bytes_of(number), number))


def assemble(share: Share, begun: Begun, landing: Landing) -> None:
    """Write the whole file to this machine.

    Raises
    ------
    Conflict
        Parts are missing.
    Invalid
        The whole is not what was announced.
    """
    missing = sorted(set(range(1, begun.parts + 1)) - _received(share, begun))
    if missing:
        shown = ", ".join(map(str, missing[:20])) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        raise Conflict(f"upload {begun.id} is not complete: send parts {shown}", extra={"missing": missing[:1000]})
    for number in range(1, begun.parts + 1):
        for chunk in share.read(_part(begun, number)):
            landing.write(chunk)
    found = landing.digest.hexdigest()
    if found != begun.sha256:
        raise Invalid(
            f"the SHA-256 of the whole file is {found}, not {begun.sha256} as announced; send the parts again"
        )


def finish(share: Share, begun: Begun, version: int) -> None:
    """Note what came of it, for callers that did not hear the answer, and drop the parts."""
    share.write(f"{FOLDER}/{begun.id}/{_DONE}", [orjson.dumps({"version": version})])
    for number in _received(share, begun):
        share.delete(_part(begun, number))


def drop(share: Share, begun: Begun) -> None:
    for info in share.find(f"{FOLDER}/{begun.id}"):
        share.delete(info.path)


def version_of(share: Share, begun: Begun) -> int | None:
    """The version that was made of it; None before it is complete."""
    try:
        done = orjson.loads(b"".join(share.read(f"{FOLDER}/{begun.id}/{_DONE}")))
    except FileMissing:
        return None
    return int(done["version"])


def _part(begun: Begun, number: int) -> str:
    return f"{FOLDER}/{begun.id}/part-{number:05}"


def _received(share: Share, begun: Begun) -> set[int]:
    names = (info.path.rpartition("/")[2] for info in share.find(f"{FOLDER}/{begun.id}"))
    return {int(name.removeprefix("part-")) for name in names if name.startswith("part-")}


def _exactly(chunks: Iterable[bytes], size_bytes: int, number: int) -> Iterator[bytes]:
    """The same chunks; an error after the last, which ends the write, if they are not so many bytes."""
    found = 0
    for chunk in chunks:
        found += len(chunk)
        yield chunk
    if found != size_bytes:
        raise Invalid(f"part {number} has {found} bytes, not {size_bytes}; nothing was kept, send it again")
