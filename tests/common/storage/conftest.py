import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common.storage.azure_files import AzureFilesShare
from common.storage.directory import DirectoryShare
from common.storage.fsspec_share import FsspecShare
from common.storage.share import Share
from tests.support.azure_files_standin import KEY, AzureFilesStandIn

BACKENDS = ("directory", "fsspec-memory", "fsspec-local", "azure-sdk-against-stand-in")


@pytest.fixture
def azure_files_standin() -> Iterator[AzureFilesStandIn]:
    with AzureFilesStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def azure_share(azure_files_standin: AzureFilesStandIn) -> Iterator[AzureFilesShare]:
    """A folder of the stand-in's share through the real SDK, without its patience."""
    with closing(AzureFilesShare(azure_files_standin.url + "/a/folder", KEY, retry_total=0)) as share:
        yield share


@pytest.fixture(params=BACKENDS)
def share(request: pytest.FixtureRequest, tmp_path: Path) -> Share:
    """Each kind of share in turn, empty."""
    return make(request, tmp_path)


@pytest.fixture(params=BACKENDS[1:])
def remote_share(request: pytest.FixtureRequest, tmp_path: Path) -> Share:
    """Each kind of share that is not a directory of this machine, empty."""
    return make(request, tmp_path)


def make(request: pytest.FixtureRequest, folder: Path) -> Share:
    match request.param:
        case "directory":
            return DirectoryShare(folder / "share")
        case "fsspec-memory":
            # The memory of a process is one share; each test has a folder of its own.
            return FsspecShare(f"memory://{uuid.uuid4().hex}/share")
        case "fsspec-local":
            return FsspecShare(f"local://{folder}/local")
        case _:
            share: Share = request.getfixturevalue("azure_share")
            return share
