"""The file share and what lies on it: data sets, and artefacts as write-once blobs named by their SHA-256.

`open_share(settings)` gives the one small interface (`Share`) over a mounted directory, Azure Files or an fsspec URL.
"""

from common.storage.blobs import BlobRef, Blobs, CorruptBlob
from common.storage.fetch import fetch_folder
from common.storage.location import open_share
from common.storage.share import FileInfo, FileMissing, NotAFile, Share, ShareDown, ShareFull

__all__ = [
    "BlobRef",
    "Blobs",
    "CorruptBlob",
    "FileInfo",
    "FileMissing",
    "NotAFile",
    "Share",
    "ShareDown",
    "ShareFull",
    "fetch_folder",
    "open_share",
]
