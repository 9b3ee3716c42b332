"""Which share the settings name."""

from functools import lru_cache
from pathlib import Path

from common.settings import StorageSettings
from common.storage.directory import DirectoryShare
from common.storage.share import Share


def open_share(storage: StorageSettings) -> Share:
    """The share of `FILE_SHARE`; the same one for the same settings, so that its connections are kept.

    A path is a directory, `http(s)://` is Azure Files, any other `scheme://` is fsspec's.

    Raises
    ------
    SettingsError
        The URL cannot be used, or the package of its protocol is not installed.
    """
    credential = storage.file_share_credential
    if storage.share_url is None:
        return DirectoryShare(storage.share_dir)
    return _open(storage.share_url, credential.get_secret_value() if credential else None)


@lru_cache(maxsize=8)
def _open(url: str, credential: str | None) -> Share:
    scheme, _, rest = url.partition("://")
    match scheme.lower():
        case "file":
            return DirectoryShare(Path("/" + rest.lstrip("/")))
        case "http" | "https":
            from common.storage.azure_files import AzureFilesShare  # the SDK is for those who use it

            return AzureFilesShare(url, credential)
        case _:
            from common.storage.fsspec_share import FsspecShare

            return FsspecShare(url)
