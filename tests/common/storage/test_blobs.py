import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.storage import BlobRef, Blobs, CorruptBlob, FileMissing, Share
from common.storage.share import ShareDown


@pytest.fixture
def blobs(share: Share, tmp_path: Path) -> Blobs:
    return Blobs(share, tmp_path / "cache")


def ref_of(content: bytes) -> BlobRef:
    return BlobRef(hashlib.sha256(content).hexdigest(), len(content))


def test_a_blob_is_named_by_its_digest(blobs: Blobs) -> None:
    ref = blobs.put([b"wei", b"ghts"])
    assert ref == ref_of(b"weights")
    assert [info.path for info in blobs.share.find()] == [f"blobs/{ref.sha256[:2]}/{ref.sha256}"]
    assert blobs.exists(ref)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=50), max_size=4))
def test_a_blob_comes_back_as_it_was_put(blobs: Blobs, chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    ref = blobs.put(chunks)
    assert ref == ref_of(whole)
    assert blobs.read(ref) == whole
    assert blobs.path(ref).read_bytes() == whole
    with blobs.open(ref) as file:
        assert file.read() == whole


def test_a_large_file_is_put_and_opened(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(bytes(range(251)) * 40_000)
    ref = blobs.put(source)
    with blobs.open(ref) as file:
        assert file.read() == source.read_bytes()


def test_bytes_are_one_part(blobs: Blobs) -> None:
    assert blobs.read(blobs.put(b"weights")) == b"weights"


def test_putting_twice_is_harmless(blobs: Blobs) -> None:
    first = blobs.put([b"weights"])
    before = blobs.share.stat(first.share_path)
    assert blobs.put([b"weights"]) == first
    assert blobs.share.stat(first.share_path) == before


def test_putting_at_once_is_harmless(blobs: Blobs) -> None:
    with ThreadPoolExecutor(4) as pool:
        refs = list(pool.map(lambda _: blobs.put([b"weights"]), range(16)))
    assert set(refs) == {ref_of(b"weights")}
    assert blobs.read(ref_of(b"weights")) == b"weights"


def test_a_blob_that_is_replaced_while_it_is_read_is_put_anyway(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = blobs.put([b"weights"])

    def replaced(path: str) -> Iterator[bytes]:
        raise ShareDown(f"{path} was replaced while it was read")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(blobs.share, "read", replaced)
        assert blobs.put([b"weights"]) == ref
    assert blobs.read(ref) == b"weights"


def test_a_blob_that_was_never_put_is_missing(blobs: Blobs) -> None:
    ref = ref_of(b"never")
    assert not blobs.exists(ref)
    for ask in (blobs.read, blobs.open, blobs.path):
        with pytest.raises(FileMissing):
            ask(ref)


@pytest.mark.parametrize("damaged", [b"veights", b"weight", b"", b"weights and more"])
@pytest.mark.parametrize("way", ["read", "open", "path"])
def test_a_damaged_blob_is_put_aside_and_never_served(blobs: Blobs, damaged: bytes, way: str) -> None:
    ref = blobs.put([b"weights"])
    blobs.share.write(ref.share_path, [damaged])
    with pytest.raises(CorruptBlob, match="moved to quarantine"):
        getattr(blobs, way)(ref)
    assert not blobs.exists(ref)
    [aside] = blobs.share.find("quarantine")
    assert b"".join(blobs.share.read(aside.path)) == damaged


def test_a_blob_that_was_damaged_on_its_way_stays_where_it_is(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = blobs.put([b"weights"])
    answers = iter([[b"veights"]])
    original = blobs.share.read
    monkeypatch.setattr(blobs.share, "read", lambda path: next(answers, None) or original(path))
    with pytest.raises(CorruptBlob, match="ask again"):
        blobs.read(ref)
    assert blobs.read(ref) == b"weights"


def test_a_damaged_blob_can_be_put_again(blobs: Blobs) -> None:
    ref = blobs.put([b"weights"])
    blobs.share.write(ref.share_path, [b"veights"])
    assert blobs.put([b"weights"]) == ref
    assert blobs.read(ref) == b"weights"


def test_a_damaged_blob_that_cannot_be_moved_is_not_served_either(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, target: str) -> None:
        raise OSError("read-only")

    ref = blobs.put([b"weights"])
    blobs.share.write(ref.share_path, [b"veights"])
    monkeypatch.setattr(blobs.share, "move", refuse)
    for _ in range(2):
        with pytest.raises(CorruptBlob, match="left where it is"):
            blobs.read(ref)


def test_a_put_that_is_interrupted_leaves_nothing(blobs: Blobs) -> None:
    def broken() -> Iterator[bytes]:
        yield b"weigh"
        raise ConnectionError("the caller hung up")

    with pytest.raises(ConnectionError):
        blobs.put(broken())
    assert blobs.share.find() == []


def test_a_damaged_copy_on_this_machine_is_fetched_again(remote_share: Share, tmp_path: Path) -> None:
    blobs = Blobs(remote_share, tmp_path)
    ref = blobs.put([b"weights"])
    blobs.path(ref).write_bytes(b"veights")
    assert blobs.path(ref).read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63])
def test_only_a_digest_names_a_blob(name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        BlobRef(name, 1)
