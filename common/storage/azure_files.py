"""The share as an Azure Files share through its SDK, where nothing is mounted (Functions on the consumption plan)."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from common.errors import SettingsError
from common.storage.share import (
    FileInfo,
    FileMissing,
    NotAFile,
    Share,
    ShareDown,
    ShareFull,
    check_folder,
    check_path,
    is_partial,
    partial_beside,
    pieces,
)

if TYPE_CHECKING:
    from azure.storage.fileshare import ShareClient

# The most that the service takes in one call.
RANGE_BYTES = 4 << 20

# A request is answered within minutes or not at all, so less patience than the SDK's 15 s before its first retry.
_OPTIONS = {
    "max_single_get_size": RANGE_BYTES,
    "max_chunk_get_size": RANGE_BYTES,
    "connection_timeout": 5,
    "read_timeout": 30,
    "initial_backoff": 1,
    "increment_base": 2,
}

_FULL = frozenset({"ShareSizeLimitReached", "ShareQuotaExceeded", "InsufficientStorage"})
_MISPLACED = frozenset({"ResourceTypeMismatch", "DirectoryNotEmpty"})


class AzureFilesShare(Share):
    """Files of a share, or of a folder in it.

    A file is uploaded under another name and renamed over its target, which the service does at once. A reader that
    has begun when its file is replaced gets an error instead of parts of both.
    """

    def __init__(self, url: str, credential: str | None = None, **options: Any) -> None:
        """
        Parameters
        ----------
        url : `https://<account>.file.core.windows.net/<share>[/folder]`, with a SAS token as its query if you like;
            of an emulator on this machine `http://127.0.0.1:<port>/<account>/<share>[/folder]`.
        credential : an account key, a SAS token, or a connection string; None for what the URL holds, else for
            the identity of the machine (needs `azure-identity`).
        options : for the SDK's client, e.g. `retry_total`.

        Raises
        ------
        SettingsError
            The URL names no share, or there is no credential.
        """
        from azure.storage.fileshare import ShareClient  # on first use: see the design's import budget

        account_url, share, self._folder, sas = _split(url)
        self.label = f"{account_url}/{share}/{self._folder}".rstrip("/")
        options = _OPTIONS | options
        try:
            if credential and "=" in credential and ";" in credential:
                self._client: ShareClient = ShareClient.from_connection_string(credential, share, **options)
            else:
                given = credential or sas or _identity(self.label)
                if not isinstance(given, str):
                    options |= {"token_intent": "backup"}
                self._client = ShareClient(account_url, share, credential=given, **options)
        except ValueError as exc:
            raise SettingsError(f"FILE_SHARE_CREDENTIAL cannot be used with {self.label}: {exc}") from None

    def read(self, path: str) -> Iterator[bytes]:
        with self._reporting(path):
            # What is stored, byte for byte, whatever another program said of its encoding.
            yield from self._file(path).download_file(decompress=False).chunks()

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        self._locate(path)
        partial = partial_beside(path)
        with self._reporting(path):
            self._make_folders(path)
            file = self._client.get_file_client(self._at(partial))
            file.create_file(0)
        try:
            size_bytes = allotted = 0
            for piece in pieces(chunks, RANGE_BYTES):
                with self._reporting(path):
                    if size_bytes + len(piece) > allotted:
                        # The length has to be there before the bytes, and is not known before the end.
                        allotted = max(2 * allotted, size_bytes + len(piece))
                        file.resize_file(allotted)
                    file.upload_range(piece, offset=size_bytes, length=len(piece))
                size_bytes += len(piece)
            with self._reporting(path):
                if allotted != size_bytes:
                    file.resize_file(size_bytes)
                file.rename_file(self._locate(path), overwrite=True)
        except BaseException:
            with suppress(Exception):
                file.delete_file()
            raise
        return size_bytes

    def stat(self, path: str) -> FileInfo | None:
        try:
            with self._reporting(path):
                found = self._file(path).get_file_properties()
        except (FileMissing, NotAFile):
            return None
        return FileInfo(path, int(found.size), str(found.etag))

    def find(self, folder: str = "") -> list[FileInfo]:
        return sorted(
            (FileInfo(path, int(found.size), str(found.etag)) for path, found in self._walk(check_folder(folder))),
            key=lambda info: info.path,
        )

    def delete(self, path: str) -> bool:
        try:
            with self._reporting(path):
                self._file(path).delete_file()
        except (FileMissing, NotAFile):
            return False
        return True

    def move(self, path: str, target: str) -> None:
        destination = self._locate(target)
        with self._reporting(path):
            self._make_folders(target)
            self._file(path).rename_file(destination, overwrite=True)

    def sweep(self, older_than_s: float) -> int:
        return self._delete_old(self._walk("", partial=True), older_than_s)

    def expire(self, folder: str, older_than_s: float) -> int:
        return self._delete_old(self._walk(check_folder(folder)), older_than_s)

    def _delete_old(self, files: Iterable[tuple[str, Any]], older_than_s: float) -> int:
        gone = 0
        for path, found in files:
            if found.last_modified.timestamp() < time.time() - older_than_s:
                with suppress(FileMissing), self._reporting(path):
                    self._client.get_file_client(self._at(path)).delete_file()
                    gone += 1
        return gone

    def close(self) -> None:
        """Let go of the connections; a process that serves keeps them until it ends."""
        self._client.close()

    def _at(self, path: str) -> str:
        return f"{self._folder}/{path}".strip("/")

    def _locate(self, path: str) -> str:
        return self._at(check_path(path))

    def _file(self, path: str) -> Any:
        return self._client.get_file_client(self._locate(path))

    def _walk(self, folder: str, *, partial: bool = False) -> Iterator[tuple[str, Any]]:
        """Path and properties of each file below a folder: the whole ones, or the partial ones."""
        try:
            with self._reporting(folder):
                client = self._client.get_directory_client(self._at(folder))
                found = list(client.list_directories_and_files(include=["timestamps", "Etag"]))
        except (FileMissing, NotAFile):
            return
        for item in found:
            path = f"{folder}/{item.name}".lstrip("/")
            if item.is_directory:
                yield from self._walk(path, partial=partial)
            elif is_partial(item.name) is partial:
                yield path, item

    def _make_folders(self, path: str) -> None:
        """Make the folders above a file. Most often they are there, so the nearest is tried first."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        parts = self._at(path).split("/")[:-1]
        missing: list[str] = []
        while parts:
            folder = "/".join(parts)
            try:
                self._client.get_directory_client(folder).create_directory()
            except ResourceExistsError as exc:
                if _code(exc) in _MISPLACED:
                    raise
                break
            except ResourceNotFoundError:
                # The folder above is missing, unless there is no share; which the topmost one then says.
                missing.append(folder)
                if len(parts) == 1:
                    raise
                parts.pop()
                continue
            break
        for folder in reversed(missing):
            with suppress(ResourceExistsError):
                self._client.get_directory_client(folder).create_directory()

    @contextmanager
    def _reporting(self, path: str) -> Iterator[None]:
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as exc:
            code = _code(exc)
            status = getattr(exc, "status_code", None)
            if code in {"ResourceNotFound", "ParentNotFound"} or (status == 404 and code != "ShareNotFound"):
                raise FileMissing(f"there is no file {path!r} on the share") from None
            if code in _MISPLACED or (status == 409 and code == "ResourceAlreadyExists"):
                raise NotAFile(f"{path!r} is a folder on the share, or lies below a file; choose another") from None
            if code in _FULL or status == 507:
                raise ShareFull from exc
            # Not the text: it may hold a URL with a signature.
            raise ShareDown(f"the file share failed at {path!r}: {code}") from exc


def _code(exc: Exception) -> str:
    """The service's own code, e.g. `ResourceNotFound`; the kind of error if there was no answer."""
    code = getattr(exc, "error_code", None)
    # An enum for the codes that the SDK knows, else text.
    return str(getattr(code, "value", code) or type(exc).__name__)


def _split(url: str) -> tuple[str, str, str, str]:
    """Account URL, share, folder and SAS token of a share's URL."""
    parts = urlsplit(url)
    segments = [unquote(part) for part in parts.path.split("/") if part]
    account_url = f"{parts.scheme}://{parts.netloc}"
    if _is_emulator(parts.hostname or ""):
        # An emulator has all accounts on one address.
        account_url += "/" + "".join(segments[:1])
        segments = segments[1:]
    elif ".file." not in parts.netloc:
        raise SettingsError(
            f"FILE_SHARE={account_url!r} is no Azure Files address; give https://<account>.file.core.windows.net/<share>"
        )
    if not segments:
        raise SettingsError(f"FILE_SHARE={account_url!r} names no share; append /<share>")
    folder = "/".join(segments[1:])
    return account_url, segments[0], check_folder(folder), parts.query


def _is_emulator(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _identity(label: str) -> Any:
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise SettingsError(
            f"{label} needs a credential: set FILE_SHARE_CREDENTIAL to an account key, a SAS token or a connection "
            "string, or install azure-identity to use the identity of this machine"
        ) from None
    return DefaultAzureCredential()
