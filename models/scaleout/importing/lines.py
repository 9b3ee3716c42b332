"""The lines of Spark event logs: plain or compressed files, and folders of rolled ones.

Spark names what it writes `APPLICATION[_ATTEMPT][.CODEC][.inprogress]`, or, rolling (the default from Spark 4 on),
`eventlog_v2_APPLICATION/events_NUMBER_APPLICATION[.CODEC][.compact]` beside an empty `appstatus_…[.inprogress]`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from common.errors import Invalid

# A line is an event; those of stages with long lineages take some MB.
MAX_LINE_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_IN_PROGRESS, _COMPACTED = ".inprogress", ".compact"
_ROLLED = re.compile(r"events_(\d+)_")
# Codecs of Spark whose files have a format of their own, for which no maintained reader is at hand.
_UNREADABLE = (".lz4", ".lzf", ".snappy")


class Decompressor(Protocol):
    """What turns pieces of a compressed file into pieces of the plain one, none much larger than `_CHUNK_BYTES`.

    However much a piece unfolds to, no more of it than this is held at once.
    """

    def __call__(self, piece: bytes) -> Iterator[bytes]: ...


def is_event_log(path: Path) -> bool:
    """Whether it has the name of a log, or of a folder of rolled ones."""
    if path.is_dir():
        return path.name.startswith("eventlog_v2_")
    return path.is_file() and not path.name.startswith(".") and path.suffix not in (".crc", ".tmp")


def logs_in(folder: Path) -> list[Path]:
    """The logs that lie in a folder as Spark writes them, by name; not those in folders of it."""
    return sorted(path for path in folder.iterdir() if is_event_log(path))


def in_progress(path: Path) -> bool:
    """Whether its application has not ended: Spark says so in a name."""
    if path.is_dir():
        return any(each.name.endswith(_IN_PROGRESS) for each in path.glob("appstatus_*"))
    return path.name.endswith(_IN_PROGRESS)


def files_of(path: Path) -> list[Path]:
    """The files of a log in their order; of a compacted log, what the compaction has left."""
    if not path.is_dir():
        return [path]
    numbered = sorted((int(found[1]), each) for each in path.iterdir() if (found := _ROLLED.match(each.name)))
    compacted = {number: each for number, each in numbered if each.name.endswith(_COMPACTED)}
    if not compacted:
        return [each for _, each in numbered]
    first = max(compacted)
    return [compacted[first], *(each for number, each in numbered if number > first)]


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a log. The last one may be cut where the application did not end, or goes on.

    Raises
    ------
    Invalid
        The codec cannot be read, or a file is none of its codec.
    """
    for file in files_of(path):
        yield from _lines_of(file)


def _lines_of(path: Path) -> Iterator[bytes]:
    begun: list[bytes] = []
    size = 0
    for piece in _plain_pieces(path):
        first, *more = piece.split(b"\n")
        begun.append(first)
        size += len(first)
        if more:
            yield b"".join(begun)
            *whole, rest = more
            yield from whole
            begun, size = [rest], len(rest)
        if size > MAX_LINE_BYTES:
            raise Invalid(f"{path.name} has a line of more than {MAX_LINE_BYTES >> 20} MiB; it is no event log")
    if size:
        yield b"".join(begun)


def _plain_pieces(path: Path) -> Iterator[bytes]:
    decompress = decompressor(path)
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            try:
                yield from decompress(piece)
            except ValueError as error:
                raise Invalid(f"{path.name} cannot be decompressed: {error}") from error


def decompressor(path: Path) -> Decompressor:
    """By the file's name. It keeps what it has read: give it the pieces of one file, in order.

    Raises
    ------
    Invalid
        Spark's codec is one that cannot be read.
    """
    suffixes = [suffix for suffix in path.suffixes[-3:] if suffix not in (_IN_PROGRESS, _COMPACTED)]
    codec = suffixes[-1] if suffixes else ""
    if codec in _UNREADABLE:
        raise Invalid(
            f"{path.name} is compressed by {codec[1:]}, which is not read here; write logs with "
            "spark.eventLog.compression.codec=zstd, or with spark.eventLog.compress=false"
        )
    if codec in (".zstd", ".zst"):
        return _zstd()
    if codec == ".gz":
        return _gzip()
    return lambda piece: iter((piece,))


def _zstd() -> Decompressor:
    """Reads frame after frame; a frame that was not ended gives what was flushed."""
    from backports.zstd import ZstdDecompressor, ZstdError

    reader = ZstdDecompressor()

    def decompress(piece: bytes) -> Iterator[bytes]:
        nonlocal reader
        while True:
            try:
                yield reader.decompress(piece, _CHUNK_BYTES)
            except ZstdError as error:
                raise ValueError(str(error)) from error
            piece = reader.unused_data if reader.eof else b""
            if reader.eof:
                reader = ZstdDecompressor()
            if not piece and reader.needs_input:
                return

    return decompress


def _gzip() -> Decompressor:
    """Reads member after member."""
    import zlib

    reader = zlib.decompressobj(wbits=31)

    def decompress(piece: bytes) -> Iterator[bytes]:
        nonlocal reader
        while piece:
            try:
                yield reader.decompress(piece, _CHUNK_BYTES)
            except zlib.error as error:
                raise ValueError(str(error)) from error
            piece = reader.unconsumed_tail
            if reader.eof:
                # Writers may pad the end with zeros.
                piece = reader.unused_data.lstrip(b"\0")
                reader = zlib.decompressobj(wbits=31)

    return decompress
