"""Uploads in parts, for hosts that take no bodies of more than 100 MB, and for lines that break: what arrived stays.

The parts lie on the share, so that each may go to another host. Nobody sees anything of it before it is complete. All
methods block.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import orjson

from common.clock import new_id
from common.errors import Conflict, Invalid, NotFound
from common.storage.landing import Landing, too_large
from common.storage.share import FileMissing, Share

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
    owner : who began it.
    about : what else was said of it.
    """

    id: str
    filename: str
    size_bytes: int
    sha256: str
    part_bytes: int
    owner: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        return -(-self.size_bytes // self.part_bytes)

    def bytes_of(self, number: int) -> int:
        """Size of a part, the first being number 1."""
        return self.part_bytes if number < self.parts else self.size_bytes - self.part_bytes * (self.parts - 1)


@dataclass(frozen=True)
class PartStore:
    """The uploads below a folder of the share.

    Parameters
    ----------
    begin_with : the route that begins one, for errors.
    setting : the variable that tells how large a whole may be.
    """

    share: Share
    folder: str
    begin_with: str
    setting: str

    def begin(
        self,
        filename: str,
        size_bytes: int,
        sha256: str,
        *,
        part_bytes: int,
        max_bytes: int,
        owner: str = "",
        about: Mapping[str, Any] | None = None,
    ) -> Begun:
        """
        Raises
        ------
        TooLarge
        ShareFull, ShareDown
        """
        if size_bytes > max_bytes:
            raise too_large(max_bytes, self.setting)
        # A file of any size has a bounded number of parts; each is still one that every host takes, or nearly.
        part_bytes = max(part_bytes, -(-size_bytes // _MAX_PARTS))
        begun = Begun(new_id(), filename, size_bytes, sha256, part_bytes, owner, dict(about or {}))
        self.share.write(f"{self.folder}/{begun.id}/{_HEAD}", [orjson.dumps(asdict(begun))])
        return begun

    def find(self, upload_id: str) -> Begun:
        """
        Raises
        ------
        NotFound
        """
        if _ID.fullmatch(upload_id):
            try:
                return _begun(orjson.loads(b"".join(self.share.read(f"{self.folder}/{upload_id}/{_HEAD}"))))
            except FileMissing:
                pass
        raise NotFound(f"there is no upload {upload_id[:40]!r}; begin one with {self.begin_with}")

    def put(self, begun: Begun, number: int, chunks: Iterable[bytes]) -> None:
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
        if self.result_of(begun) is not None:
            raise Conflict(f"upload {begun.id} is complete; begin another one")
        self.share.write(self._part(begun, number), _exactly(chunks, begun.bytes_of(number), number))

    def assemble(self, begun: Begun, landing: Landing) -> None:
        """Write the whole file to this machine.

        Raises
        ------
        Conflict
            Parts are missing.
        Invalid
            The whole is not what was announced.
        """
        missing = sorted(set(range(1, begun.parts + 1)) - self.received(begun))
        if missing:
            more = f" and {len(missing) - 20} more" if len(missing) > 20 else ""
            shown = ", ".join(map(str, missing[:20])) + more
            raise Conflict(f"upload {begun.id} is not complete: send parts {shown}", extra={"missing": missing[:1000]})
        for number in range(1, begun.parts + 1):
            for chunk in self.share.read(self._part(begun, number)):
                landing.write(chunk)
        found = landing.digest.hexdigest()
        if found != begun.sha256:
            raise Invalid(
                f"the SHA-256 of the whole file is {found}, not {begun.sha256} as announced; send the parts again"
            )

    def finish(self, begun: Begun, result: Mapping[str, Any]) -> None:
        """Note what came of it, for callers that did not hear the answer, and drop the parts."""
        self.share.write(f"{self.folder}/{begun.id}/{_DONE}", [orjson.dumps(dict(result))])
        for number in self.received(begun):
            self.share.delete(self._part(begun, number))

    def drop(self, begun: Begun) -> None:
        for info in self.share.find(f"{self.folder}/{begun.id}"):
            self.share.delete(info.path)

    def result_of(self, begun: Begun) -> dict[str, Any] | None:
        """What came of it; None before it is complete."""
        try:
            found: dict[str, Any] = orjson.loads(b"".join(self.share.read(f"{self.folder}/{begun.id}/{_DONE}")))
        except FileMissing:
            return None
        return found

    def received(self, begun: Begun) -> set[int]:
        """Numbers of the parts that are here."""
        names = (info.path.rpartition("/")[2] for info in self.share.find(f"{self.folder}/{begun.id}"))
        return {int(name.removeprefix("part-")) for name in names if name.startswith("part-")}

    def _part(self, begun: Begun, number: int) -> str:
        return f"{self.folder}/{begun.id}/part-{number:05}"


def _begun(kept: Mapping[str, Any]) -> Begun:
    known = {item.name for item in fields(Begun)}
    # Before there were others than models, what was said of them lay beside the rest.
    about = {name: value for name, value in kept.items() if name not in known} | dict(kept.get("about") or {})
    return Begun(**{name: value for name, value in kept.items() if name in known and name != "about"}, about=about)


def _exactly(chunks: Iterable[bytes], size_bytes: int, number: int) -> Iterator[bytes]:
    """The same chunks; an error after the last, which ends the write, if they are not so many bytes."""
    found = 0
    for chunk in chunks:
        found += len(chunk)
        yield chunk
    if found != size_bytes:
        raise Invalid(f"part {number} has {found} bytes, not {size_bytes}; nothing was kept, send it again")
