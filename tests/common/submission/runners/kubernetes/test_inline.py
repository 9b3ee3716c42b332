import base64
import io
import os
import tarfile
from pathlib import Path

import pytest

from common.submission.errors import ClusterRefused
from common.submission.runners.kubernetes.boot import BEGIN, END
from common.submission.runners.kubernetes.inline import outputs, pack, program_log


def _log(packed: bytes, before: bytes = b"hello") -> bytes:
    return before + f"\n{BEGIN}\n".encode() + base64.encodebytes(packed) + f"{END}\n".encode()


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_the_same_files_are_packed_to_the_same_text(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x,y\n1,2\n")
    files: dict[str, Path | bytes] = {"run.sh": b"exit 0", "datasets/d.csv": tmp_path / "data"}
    assert pack(files, 10_000) == pack(dict(reversed(files.items())), 10_000)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(pack(files, 10_000)))) as tar:
        assert tar.getnames() == ["datasets/d.csv", "run.sh"]


def test_files_too_large_for_a_job_are_refused_with_what_to_configure() -> None:
    with pytest.raises(ClusterRefused, match="claim and share"):
        pack({"inputs/noise": os.urandom(100_000)}, 96 << 10)


def test_what_just_fits_is_packed() -> None:
    text = pack({"inputs/noise": os.urandom(72_000)}, 96 << 10)
    assert 95_000 < len(text) <= 96 << 10


def test_a_log_is_told_without_the_outputs_behind_it() -> None:
    log = _log(_tar((tarfile.TarInfo("output/a"), b"1")), b"line 1\nline 2\n")
    assert program_log(log) == (b"line 1\nline 2\n", True)
    assert program_log(b"line 1\n") == (b"line 1\n", False)


def test_outputs_come_out_of_a_log() -> None:
    packed = _tar((tarfile.TarInfo("output/metrics.json"), b"{}"), (tarfile.TarInfo("output/a/b.txt"), b"text"))
    assert dict(outputs(_log(packed), 1 << 20)) == {"output/metrics.json": b"{}", "output/a/b.txt": b"text"}


def test_links_and_what_leads_out_are_left_out() -> None:
    link = tarfile.TarInfo("output/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    packed = _tar(
        (link, b""),
        (tarfile.TarInfo("output/../../evil"), b"1"),
        (tarfile.TarInfo("/output/absolute"), b"1"),
        (tarfile.TarInfo("elsewhere/x"), b"1"),
        (tarfile.TarInfo("output/good"), b"1"),
    )
    assert dict(outputs(_log(packed), 1 << 20)) == {"output/good": b"1"}


def test_a_bomb_is_not_unpacked() -> None:
    packed = _tar((tarfile.TarInfo("output/zeros"), bytes(50_000_000)))
    assert len(packed) < 100_000
    assert dict(outputs(_log(packed), 1 << 20)) == {}


# An archive holds the time at which it was made, which a test's name must not.
@pytest.mark.parametrize(
    "cut",
    [b"", b"hello\n", _log(b"no archive"), _log(_tar())[:-40], f"\n{BEGIN}\n".encode()],
    ids=["empty", "other words", "no archive", "cut", "beginning only"],
)
def test_a_log_without_whole_outputs_gives_none(cut: bytes) -> None:
    assert dict(outputs(cut, 1 << 20)) == {}


def test_a_program_that_prints_the_marks_itself_fools_nobody() -> None:
    packed = _tar((tarfile.TarInfo("output/true"), b"1"))
    log = _log(packed, f"hello\n{BEGIN}\nnot base64!\n{END}\n".encode())
    assert dict(outputs(log, 1 << 20)) == {"output/true": b"1"}
