"""Write-once blobs on the share, named by their SHA-256: what a version's artefacts are made of.

A blob's name says what its content must be, so a blob that was half written, damaged or overwritten is found out when
it is read, on every backend, whatever its rename promises: `open`, `read` and `path` hand out nothing before size and
digest have been checked. What does not fit is moved to `quarantine/`, for a person to look at, and can be put again.

That a half-written upload shows under the final name at all is rare: never on a local disk (fsync, then rename), in
Azure Files (renamed by the service) and on object stores (a copy shows when it is complete); on SMB and NFS after the
server lost power; on HDFS if a rename is refused. That is what the check is for.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from common.errors import DependencyFailed
from common.storage.share import CHUNK_BYTES, FileInfo, FileMissing, Share, ShareDown
from common.telemetry.logs import get_logger

log = get_logger("atoll.storage")

FOLDER, QUARANTINE = "blobs", "quarantine"

_SHA256 = re.compile(r"[0-9a-f]{64}")
# A blob up to this size is checked in memory; a larger one in a temporary file.
_IN_MEMORY_BYTES = 8 << 20


class CorruptBlob(DependencyFailed):
    """A blob's bytes are not those of its name; it has been put aside."""

    title, slug = "Damaged artefact", "corrupt-blob"


@dataclass(frozen=True)
class BlobRef:
    """A blob: its SHA-256 in hex, and its size."""

    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256) or self.size_bytes < 0:
            raise ValueError(f"no SHA-256 in lower-case hex, or a negative size: {self.sha256[:80]!r}")

    @property
    def share_path(self) -> str:
        return f"{FOLDER}/{self.sha256[:2]}/{self.sha256}"


class Blobs:
    """The blobs of a share.

    Parameters
    ----------
    cache_dir : folder of this machine for blobs that programs open by path, if the share is not mounted.
    """

    def __init__(self, share: Share, cache_dir: Path) -> None:
        self.share = share
        self.cache_dir = cache_dir
        self._cache_dir = cache_dir / "blobs"
        # Copies that this process has read: where they lay, how large they were, and when they were written.
        self._seen: dict[str, tuple[int, int, int]] = {}

    def put(self, content: Path | bytes | Iterable[bytes]) -> BlobRef:
        """Write a blob, unless it is there and whole. Putting the same content twice, or at once, is harmless.

        Parameters
        ----------
        content : a file, bytes, or parts; those are held in memory or a temporary file until their digest is known.

        Raises
        ------
        ShareFull, ShareDown
            Nothing is left that would be taken for the blob.
        """
        if isinstance(content, Path):
            with content.open("rb") as file:
                return self._put(file)
        if isinstance(content, bytes):
            # Iterating over bytes gives numbers.
            content = [content]
        with _spooled() as file:
            for chunk in content:
                file.write(chunk)
            return self._put(file)

    def exists(self, ref: BlobRef) -> bool:
        """Whether a file of the right name and size is there; only reading it tells whether it is whole."""
        found = self.share.stat(ref.share_path)
        return found is not None and found.size_bytes == ref.size_bytes

    def missing(self, refs: Iterable[BlobRef]) -> list[BlobRef]:
        """Those that are not there with the right size."""
        return [ref for ref in refs if not self.exists(ref)]

    def check(self, ref: BlobRef) -> None:
        """Read the blob to its end.

        Raises
        ------
        FileMissing
        CorruptBlob
            It has been put aside.
        """
        for _ in self._checked(ref):
            pass

    def find(self) -> dict[str, FileInfo]:
        """The blobs that are on the share, by their SHA-256."""
        found = {file.path.rpartition("/")[2]: file for file in self.share.find(FOLDER)}
        return {name: file for name, file in found.items() if _SHA256.fullmatch(name)}

    def copies(self, ref: BlobRef) -> list[Path]:
        """Whole copies on this machine: of those kept to be opened by path."""
        kept = self._cache_dir / ref.sha256[:2] / ref.sha256
        return [kept] if kept.is_file() and _digest(kept) == ref else []

    def open(self, ref: BlobRef) -> BinaryIO:
        """The blob as a file at its beginning, checked; the caller closes it. It is not the share's own file.

        Raises
        ------
        FileMissing
        CorruptBlob
        """
        file = _spooled()
        try:
            for chunk in self._checked(ref):
                file.write(chunk)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def read(self, ref: BlobRef) -> bytes:
        """The whole blob, checked.

        Raises
        ------
        FileMissing
        CorruptBlob
        """
        return b"".join(self._checked(ref))

    def path(self, ref: BlobRef) -> Path:
        """A file of this machine with the blob, checked now; not to be written to.

        The share's own file if it is mounted, else a copy that is kept.

        Raises
        ------
        FileMissing
        CorruptBlob
        """
        mounted = self.share.local_path(ref.share_path)
        if mounted is not None:
            for _ in self._checked(ref):
                pass
            return mounted
        return self.copy(ref)

    def copy(self, ref: BlobRef, max_bytes: int | None = None) -> Path:
        """A copy of the blob on this machine's disk, checked, though the share may be mounted; all processes share
        it. Where it is whole, the share is not asked.

        Parameters
        ----------
        max_bytes : that all copies may take; those that were asked for longest ago go. What a program has mapped
            stays readable after it is gone.

        Raises
        ------
        FileMissing
        CorruptBlob
        """
        kept = self._cache_dir / ref.sha256[:2] / ref.sha256
        if self._is_kept(kept, ref):
            return kept
        if max_bytes is not None:
            self._make_room(max_bytes - ref.size_bytes)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, prefix=".fetch-", delete=False) as file:
            try:
                for chunk in self._checked(ref):
                    file.write(chunk)
                file.close()
                Path(file.name).replace(kept)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        return kept

    def _is_kept(self, kept: Path, ref: BlobRef) -> bool:
        """Whether a copy is there and whole. One that nobody has written to since this process read it is not read."""
        try:
            found = kept.stat()
            told = (found.st_ino, found.st_size, found.st_mtime_ns)
            if self._seen.get(ref.sha256) != told:
                if _digest(kept) != ref:
                    return False
                self._seen[ref.sha256] = told
            # When it was used, which is not when it was written.
            os.utime(kept, ns=(time.time_ns(), found.st_mtime_ns))
        except OSError:
            return False
        return True

    def _make_room(self, max_bytes: int) -> None:
        """Remove the oldest copies until those that stay take no more."""
        found = []
        for path in self._cache_dir.glob("*/*"):
            # Others clean up too.
            with suppress(OSError):
                told = path.stat()
                found.append((told.st_atime_ns, told.st_size, path))
        found.sort()
        taken = sum(size for _, size, _ in found)
        for _, size, path in found:
            if taken <= max_bytes:
                break
            with suppress(OSError):
                path.unlink()
            taken -= size

    def _put(self, file: BinaryIO) -> BlobRef:
        ref = _digest_of(file)
        if self.exists(ref):
            # Not by its size alone: the new copy may be meant to replace a damaged one. Where it cannot be read, since
            # somebody puts the same just now, say, it is written again; a share that is down says so then.
            with suppress(FileMissing, ShareDown):
                if _is_whole(self.share.read(ref.share_path), ref):
                    return ref
        file.seek(0)
        self.share.write(ref.share_path, _checking(_chunks(file), ref))
        return ref

    def _checked(self, ref: BlobRef) -> Iterator[bytes]:
        """The parts of a blob; after the last, CorruptBlob if they are not the blob's. Only for callers that wait."""
        digest, size_bytes = hashlib.sha256(), 0
        for chunk in self.share.read(ref.share_path):
            digest.update(chunk)
            size_bytes += len(chunk)
            yield chunk
        if size_bytes != ref.size_bytes or digest.hexdigest() != ref.sha256:
            aside = self._quarantine(ref)
            raise CorruptBlob(
                f"the artefact {ref.sha256[:12]}… is damaged ({size_bytes} of {ref.size_bytes} bytes) and was {aside}"
            )

    def _quarantine(self, ref: BlobRef) -> str:
        target = f"{QUARANTINE}/{ref.sha256}-{time.time_ns():x}"
        try:
            if _is_whole(self.share.read(ref.share_path), ref):
                # It was damaged on its way here, or somebody has put it again.
                return "found whole when it was read again; ask again"
            self.share.move(ref.share_path, target)
        # The reader has to hear of the damage whatever fails here; moved or not, it is never served.
        except Exception as exc:
            log.error("a damaged artefact could not be put aside", sha256=ref.sha256, exc_info=exc)
            return "left where it is"
        log.error("a damaged artefact was put aside", sha256=ref.sha256, moved_to=target)
        return f"moved to {target}; publish the version again"


def _spooled() -> BinaryIO:
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _digest_of(file: BinaryIO) -> BlobRef:
    file.seek(0)
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in _chunks(file):
        digest.update(chunk)
        size_bytes += len(chunk)
    return BlobRef(digest.hexdigest(), size_bytes)


def _is_whole(chunks: Iterable[bytes], ref: BlobRef) -> bool:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest() == ref.sha256


def _digest(path: Path) -> BlobRef:
    with path.open("rb") as file:
        return _digest_of(file)


def _checking(chunks: Iterable[bytes], ref: BlobRef) -> Iterator[bytes]:
    """The same parts; an error after the last if a file was changed while it was put, which ends the write."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != ref.sha256:
        raise CorruptBlob("the file was changed while it was put on the share; put it again")
