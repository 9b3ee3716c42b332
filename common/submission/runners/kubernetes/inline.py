"""Files of a task packed into its Job, and its outputs out of its log. Pure."""

import base64
import binascii
import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from common.submission.errors import ClusterRefused
from common.submission.runners.kubernetes.boot import BEGIN, END

# What packs better than this is no output of an honest program.
_MOST_UNPACKED = 200
_SMALL_BYTES = 10_000_000


def pack(files: Mapping[str, Path | bytes], max_bytes: int) -> str:
    """A tar.gz of the files, in base64: the same for the same files.

    Raises
    ------
    ClusterRefused
        It is longer than `max_bytes`; the detail says what to configure.
    """
    buffer = io.BytesIO()
    size = 0
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w|") as tar:
        for path, content in sorted(files.items()):
            size = content.stat().st_size if isinstance(content, Path) else len(content)
            member = tarfile.TarInfo(path)
            member.size, member.mode = size, 0o755 if path == "run.sh" else 0o644
            with _opened(content) as source:
                tar.addfile(member, source)
            _check(buffer.tell(), max_bytes)
    _check(buffer.tell(), max_bytes)
    return base64.b64encode(buffer.getvalue()).decode()


def _opened(content: Path | bytes) -> io.BufferedIOBase:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def _check(packed_bytes: int, max_bytes: int) -> None:
    length = -(-packed_bytes // 3) * 4
    if length > max_bytes:
        raise ClusterRefused(
            f"the task's files take more than the {max_bytes} bytes that fit into a Job (packed, in base64). "
            "Send less, or have the cluster configured with claim and share, a volume that Atoll and its pods see"
        )


def program_log(log: bytes) -> tuple[bytes, bool]:
    """What the program wrote, without the outputs behind it; and whether that is known to be all of it."""
    at = log.rfind(b"\n" + BEGIN.encode() + b"\n")
    return (log, False) if at < 0 else (log[:at], True)


def outputs(log: bytes, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """The plain files of `output/`, out of the end of a log; none where they are not there in full.

    Parameters
    ----------
    max_bytes : that the outputs may be packed.
    """
    begin = log.rfind(b"\n" + BEGIN.encode() + b"\n")
    end = log.find(END.encode(), begin) if begin >= 0 else -1
    if end < 0:
        return
    text = log[begin + len(BEGIN) + 2 : end]
    if len(text) > 2 * max_bytes + 4096:
        return
    try:
        packed = base64.b64decode(bytes(text))
        yield from _unpacked(packed)
    except (binascii.Error, tarfile.TarError, OSError, EOFError, ValueError):
        return


def _unpacked(packed: bytes) -> Iterator[tuple[str, bytes]]:
    left = max(_SMALL_BYTES, _MOST_UNPACKED * len(packed))
    # What is left unpacked of a file is not read at all.
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
        for member in tar:
            left -= member.size + 512
            if left < 0:
                return
            if not member.isfile() or not _is_output(member.name):
                continue
            source = tar.extractfile(member)
            if source is not None:
                yield str(PurePosixPath(member.name)), source.read()


def _is_output(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and len(parts) > 1 and parts[0] == "output"
