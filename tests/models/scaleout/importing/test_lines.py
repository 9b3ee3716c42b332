import contextlib
import gzip
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from backports.zstd import ZstdCompressor

from common.errors import Invalid
from models.scaleout.importing.lines import MAX_LINE_BYTES, files_of, in_progress, lines, logs_in


@pytest.mark.parametrize("name", ["app-1", "app-1.inprogress"])
def test_a_plain_log_is_read_line_by_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"a\nb\n")
    assert list(lines(tmp_path / name)) == [b"a", b"b"]


@pytest.mark.parametrize("name", ["app-1.zstd", "app-1.zstd.inprogress", "app-1.zst"])
def test_zstd_is_read_frame_after_frame(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(zstd(b"a\nb") + zstd(b"c\n"))
    assert list(lines(tmp_path / name)) == [b"a", b"bc"]


def test_a_frame_that_is_still_written_gives_what_was_flushed(tmp_path: Path) -> None:
    compressor = ZstdCompressor()
    written = compressor.compress(b"a\nb\n", ZstdCompressor.FLUSH_BLOCK)
    (tmp_path / "app-1.zstd.inprogress").write_bytes(written)
    assert list(lines(tmp_path / "app-1.zstd.inprogress")) == [b"a", b"b"]


def test_gzip_is_read_member_after_member(tmp_path: Path) -> None:
    (tmp_path / "app-1.gz").write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"c\n") + bytes(100))
    assert list(lines(tmp_path / "app-1.gz")) == [b"a", b"bc"]


@pytest.mark.parametrize("name", ["app-1.gz", "app-1.zstd"])
def test_of_a_file_that_was_cut_what_is_there_is_read(tmp_path: Path, name: str) -> None:
    text = b"".join(
        b"%d %s\n" % (number, hashlib.sha256(b"%d" % number).hexdigest().encode()) for number in range(9000)
    )
    written = gzip.compress(text) if name.endswith(".gz") else zstd(text)
    (tmp_path / name).write_bytes(written[: len(written) * 3 // 4])
    found = list(lines(tmp_path / name))
    assert len(found) > 1000
    assert text.startswith(b"\n".join(found))


@pytest.mark.parametrize("compress", [gzip.compress, lambda plain: zstd(plain)], ids=["gz", "zstd"])
@pytest.mark.parametrize("line", [b"", b"x" * 99 + b"\n"], ids=["one line", "lines"])
def test_what_unfolds_to_far_more_than_it_is_never_held_at_once(tmp_path: Path, compress: Any, line: bytes) -> None:
    plain = (line or b"0") * (100 * 1024 * 1024 // max(1, len(line)))
    path = tmp_path / ("bomb.gz" if compress is gzip.compress else "bomb.zstd")
    path.write_bytes(compress(plain))
    del plain
    tracemalloc.start()
    try:
        with contextlib.suppress(Invalid):
            for _ in lines(path):
                pass
        # A line is held twice while its pieces are joined.
        assert tracemalloc.get_traced_memory()[1] < (4 * 1024 * 1024 if line else 2.5 * MAX_LINE_BYTES)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", ["lz4", "lzf", "snappy"])
def test_other_codecs_are_refused_with_what_to_set(tmp_path: Path, codec: str) -> None:
    (tmp_path / f"app-1.{codec}").write_bytes(b"x")
    with pytest.raises(Invalid, match=r"spark\.eventLog\.compression\.codec=zstd"):
        list(lines(tmp_path / f"app-1.{codec}"))


@pytest.mark.parametrize("name", ["app-1.zstd", "app-1.gz"])
def test_a_file_that_is_not_of_its_codec_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"plain text, as it seems\n" * 10)
    with pytest.raises(Invalid, match="cannot be decompressed"):
        list(lines(tmp_path / name))


def test_rolled_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = rolled(tmp_path, "events_10_a", "events_9_a", "events_1_a", "appstatus_a")
    assert [path.name for path in files_of(folder)] == ["events_1_a", "events_9_a", "events_10_a"]


def test_what_was_compacted_replaces_what_was_before(tmp_path: Path) -> None:
    folder = rolled(tmp_path, "events_1_a", "events_2_a", "events_2_a.compact", "events_3_a")
    assert [path.name for path in files_of(folder)] == ["events_2_a.compact", "events_3_a"]


def test_an_application_goes_on_as_long_as_its_log_says_so(tmp_path: Path) -> None:
    assert in_progress(rolled(tmp_path, "events_1_a", "appstatus_a.inprogress"))
    assert not in_progress(rolled(tmp_path, "events_1_b", "appstatus_b", name="eventlog_v2_b"))
    assert in_progress(tmp_path / "app-1.inprogress")


def test_check_sums_and_hidden_files_are_no_logs(tmp_path: Path) -> None:
    rolled(tmp_path, "events_1_a")
    for name in ("app-1", "app-2.zstd", ".app-1.crc", "notes.tmp"):
        (tmp_path / name).touch()
    (tmp_path / "other").mkdir()
    assert [path.name for path in logs_in(tmp_path)] == ["app-1", "app-2.zstd", "eventlog_v2_a"]


def zstd(plain: bytes) -> bytes:
    return ZstdCompressor().compress(plain, ZstdCompressor.FLUSH_FRAME)


def rolled(tmp_path: Path, *files: str, name: str = "eventlog_v2_a") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    for file in files:
        (folder / file).touch()
    return folder
