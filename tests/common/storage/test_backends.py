"""What is particular to one kind of share, and which kind a setting names."""

import errno
import gc
import os
import uuid
from collections.abc import Callable
from contextlib import closing
from io import FileIO
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import SecretStr

from common.errors import SettingsError
from common.settings import StorageSettings
from common.storage import Blobs, ShareDown, ShareFull, open_share
from common.storage.azure_files import RANGE_BYTES, AzureFilesShare
from common.storage.directory import DirectoryShare
from common.storage.fsspec_share import FsspecShare
from tests.support.azure_files_standin import KEY, AzureFilesStandIn


def read(share: AzureFilesShare | FsspecShare | DirectoryShare, path: str) -> bytes:
    return b"".join(share.read(path))


def test_a_folder_is_a_directory_share(tmp_path: Path) -> None:
    share = open_share(StorageSettings(file_share=str(tmp_path)))
    assert isinstance(share, DirectoryShare)
    assert share.local_path("a/b") == tmp_path / "a" / "b"


def test_by_default_the_share_is_a_folder_of_the_state(tmp_path: Path) -> None:
    storage = StorageSettings(state_dir=tmp_path)
    assert open_share(storage).local_path("x") == storage.share_dir / "x" == tmp_path / "share" / "x"


def test_a_file_url_is_a_directory_share(tmp_path: Path) -> None:
    assert open_share(StorageSettings(file_share=tmp_path.as_uri())).local_path("x") == tmp_path / "x"


def test_any_other_url_is_opened_by_fsspec_once(tmp_path: Path) -> None:
    storage = StorageSettings(file_share="memory://somewhere", state_dir=tmp_path)
    assert isinstance(open_share(storage), FsspecShare)
    assert open_share(storage) is open_share(storage)
    assert storage.share_dir == tmp_path / "share"


def test_an_unknown_protocol_is_refused_with_its_name() -> None:
    with pytest.raises(SettingsError, match="nonesuch"):
        open_share(StorageSettings(file_share="nonesuch://place"))


def test_an_address_that_is_not_azure_files_is_refused() -> None:
    with pytest.raises(SettingsError, match="no Azure Files address"):
        open_share(StorageSettings(file_share="https://example.org/share?sig=secret"))


def test_a_share_without_a_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="names no share"):
        open_share(StorageSettings(file_share="https://account.file.core.windows.net/?sig=secret"))


def test_no_label_shows_a_credential() -> None:
    azure = open_share(StorageSettings(file_share="https://account.file.core.windows.net/share/data?sv=1&sig=secret"))
    hdfs = FsspecShare("memory://user:secret@host/folder")
    assert azure.label == "https://account.file.core.windows.net/share/data"
    for share in (azure, hdfs):
        assert "secret" not in repr(share) + share.label


@pytest.mark.parametrize("kind", ["key", "SAS token", "SAS token in the address", "connection string"])
def test_azure_files_stand_in_takes_each_credential_of_the_sdk(
    azure_files_standin: AzureFilesStandIn, kind: str
) -> None:
    url, sas = azure_files_standin.url, "sv=2024-01-01&sig=c2ln"
    given = {"key": KEY, "SAS token": sas, "connection string": azure_files_standin.connection_string}.get(kind)
    storage = StorageSettings(
        file_share=url if given else f"{url}?{sas}", file_share_credential=SecretStr(given) if given else None
    )
    share = open_share(storage)
    assert isinstance(share, AzureFilesShare)
    with closing(share):
        share.write("folder/file", [b"x"])
        assert read(share, "folder/file") == b"x"
    assert azure_files_standin.files["folder/file"].content == b"x"


def test_azure_files_stand_in_sees_ranges_of_at_most_4_mib(
    azure_files_standin: AzureFilesStandIn, azure_share: AzureFilesShare
) -> None:
    whole = os.urandom(2 * RANGE_BYTES + 5)
    azure_share.write("file", [whole])
    assert azure_files_standin.calls.count("PUT put_range") == 3
    assert read(azure_share, "file") == whole
    assert azure_files_standin.calls.count("GET download") == 3


def test_azure_files_stand_in_makes_folders_only_where_they_are_missing(
    azure_files_standin: AzureFilesStandIn, azure_share: AzureFilesShare
) -> None:
    azure_share.write("b/c/file", [b"x"])
    assert azure_files_standin.folders == {"", "a", "a/folder", "a/folder/b", "a/folder/b/c"}
    azure_files_standin.calls.clear()
    azure_share.write("b/c/other", [b"x"])
    assert azure_files_standin.calls.count("PUT create_folder") == 1


# The SDK lets go of the answer that it refuses, and of its socket, without closing it.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_azure_files_stand_in_that_replaces_a_file_ends_the_reading_of_it(
    azure_files_standin: AzureFilesStandIn,
    azure_share: AzureFilesShare,
) -> None:
    azure_share.write("file", [b"1" * (2 * RANGE_BYTES)])
    parts = azure_share.read("file")
    assert set(next(parts)) == {ord("1")}
    azure_share.write("file", [b"2" * (2 * RANGE_BYTES)])
    with pytest.raises(ShareDown):
        list(parts)
    del parts
    gc.collect()


def test_azure_files_stand_in_without_room_is_full_and_keeps_no_part(
    azure_files_standin: AzureFilesStandIn, azure_share: AzureFilesShare
) -> None:
    azure_files_standin.full_after_bytes = RANGE_BYTES
    with pytest.raises(ShareFull):
        azure_share.write("file", [b"x" * (RANGE_BYTES + 1)])
    assert azure_files_standin.files == {}


@pytest.mark.parametrize("operation", ["create_file", "put_range", "resize", "rename"])
def test_azure_files_stand_in_that_fails_leaves_the_old_file(
    azure_files_standin: AzureFilesStandIn, azure_share: AzureFilesShare, operation: str
) -> None:
    azure_share.write("file", [b"before"])
    azure_files_standin.refuse[operation] = (500, "InternalError")
    with pytest.raises(ShareDown, match="InternalError"):
        azure_share.write("file", [b"after"])
    assert list(azure_files_standin.files) == ["a/folder/file"]
    assert read(azure_share, "file") == b"before"


def test_azure_files_stand_in_that_refuses_a_key_is_down_not_empty(
    azure_files_standin: AzureFilesStandIn, azure_share: AzureFilesShare
) -> None:
    azure_files_standin.refuse = {"list_folder": (403, "AuthenticationFailed"), "properties": (404, "ShareNotFound")}
    with pytest.raises(ShareDown, match="AuthenticationFailed"):
        azure_share.find()
    with pytest.raises(ShareDown, match="ShareNotFound"):
        azure_share.stat("file")


def test_an_error_of_the_sdk_does_not_show_the_signature() -> None:
    share = AzureFilesShare("http://127.0.0.1:9/account/share?sig=secret", retry_total=0)
    with closing(share), pytest.raises(ShareDown) as caught:
        share.stat("file")
    assert isinstance(caught.value.__cause__, AzureError)
    assert "secret" not in caught.value.detail


def disk_full(_file: FileIO, _chunk: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = DirectoryShare(tmp_path)
    share.write("file", [b"before"])
    monkeypatch.setattr("common.storage.directory._write_all", disk_full)
    with pytest.raises(ShareFull, match="full"):
        share.write("file", [b"after"])
    assert read(share, "file") == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_blob_on_a_full_disk_leaves_nothing_that_reads_as_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(DirectoryShare(tmp_path / "share"), tmp_path / "cache")
    monkeypatch.setattr("common.storage.directory._write_all", disk_full)
    with pytest.raises(ShareFull):
        blobs.put([b"weights"])
    assert blobs.share.find() == []


def test_a_reader_of_a_directory_keeps_the_file_that_it_opened(tmp_path: Path) -> None:
    share = DirectoryShare(tmp_path)
    share.write("file", [b"1" * (3 << 20)])
    parts = share.read("file")
    first = next(parts)
    share.write("file", [b"2" * (3 << 20)])
    assert set(first + b"".join(parts)) == {ord("1")}


class RefusingRename(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Moves as HDFS does: onto a file that is there it does nothing, and says nothing."""

    def mv(self, path1: str, path2: str, **_: object) -> None:
        if not self.exists(path2):
            self.cp_file(path1, path2)
            self.rm_file(path1)


@pytest.fixture
def hdfs_like() -> FsspecShare:
    share = FsspecShare(f"memory://{uuid.uuid4().hex}")
    share._fs = RefusingRename(skip_instance_cache=True)
    return share


def test_a_file_is_replaced_where_a_rename_onto_it_is_refused(hdfs_like: FsspecShare) -> None:
    hdfs_like.write("file", [b"before"])
    hdfs_like.write("file", [b"after"])
    assert read(hdfs_like, "file") == b"after"
    assert len(hdfs_like.find()) == 1


def test_an_upload_that_arrives_short_is_an_error(hdfs_like: FsspecShare, monkeypatch: pytest.MonkeyPatch) -> None:
    copy: Callable[[str, str], None] = hdfs_like._fs.cp_file

    def cut(source: str, target: str) -> None:
        copy(source, target)
        hdfs_like._fs.store[target].truncate(3)

    monkeypatch.setattr(hdfs_like._fs, "cp_file", cut)
    with pytest.raises(ShareDown, match="5 bytes were written, the share has 3"):
        hdfs_like.write("file", [b"12345"])
