"""The data set of this process: where it is taken from, and the one copy that all models of the family share."""

import shutil
import tempfile
import threading
from pathlib import Path

from common.errors import ModelUnavailable
from common.plugins import Dataset
from common.settings import CHECKOUT, StorageSettings, get_settings
from common.storage import fetch_folder, open_share
from models._indicators.dataset import IndicatorSet, load
from models._indicators.errors import DataSetError
from models._indicators.files import REQUIRED, find_files
from models._indicators.sample import write_sample

# In the folder's name, so that a changed generator does not serve what an older one wrote.
_SAMPLE = "sample-1"

_lock = threading.Lock()
_current: tuple[IndicatorSet, Dataset] | None = None


def locate(storage: StorageSettings) -> Dataset:
    """Where the data set lies: `DATASET_PATH`, else `datasets/` in the checkout or on the share if the three files are
    there, else a sample that is generated now.

    `DATASET_PATH` is never passed over: files missing there are an error of `load`, not a reason to serve a sample.
    """
    if storage.dataset_path is not None:
        return Dataset(storage.dataset_path.resolve().name, storage.dataset_path, "DATASET_PATH")
    folder = CHECKOUT / "datasets"
    if _is_complete(folder):
        return Dataset(folder.name, folder, "checkout")
    shared = _on_share(storage)
    if shared is not None:
        return Dataset(shared.name, shared, "share")
    return Dataset("sample", _sample(storage.cache_dir), "generated")


def _on_share(storage: StorageSettings) -> Path | None:
    """The first folder of `datasets` on the share, itself included, that holds the files; fetched where it must be."""
    share = open_share(storage)
    holders = sorted({file.path.rpartition("/")[0] for file in share.find("datasets")})
    for holder in holders:
        names = {file.path.rpartition("/")[2].split(".")[0] for file in share.find(holder)}
        if names >= set(REQUIRED):
            folder = fetch_folder(share, holder, storage.cache_dir, deep=False)
            if _is_complete(folder):
                return folder
    return None


def _is_complete(folder: Path) -> bool:
    try:
        find_files(folder)
    except DataSetError:
        return False
    return True


def _sample(cache_dir: Path) -> Path:
    folder = cache_dir / _SAMPLE
    if _is_complete(folder):
        return folder
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError:
        # A read-only installation; the generated set is small and quick to make.
        cache_dir = Path(tempfile.mkdtemp(prefix="atoll-sample-"))
        folder = cache_dir / _SAMPLE
    scratch = Path(tempfile.mkdtemp(dir=cache_dir, prefix=".sample-"))
    try:
        write_sample(scratch)
        scratch.replace(folder)
    except OSError:
        # Another process was faster: a folder that is not empty cannot be replaced.
        if not _is_complete(folder):
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def load_current() -> None:
    """Load the data set of this process, unless it is loaded; the `load` of each plugin of the family.

    Raises
    ------
    DataSetError
        A file is missing or broken.
    """
    global _current
    with _lock:
        if _current is None:
            storage = get_settings().storage
            dataset = locate(storage)
            _current = (load(dataset.folder, storage.cache_dir), dataset)


def current() -> IndicatorSet:
    """The data set of this process.

    Raises
    ------
    ModelUnavailable
        It is not loaded; routes never see this, since they wait for the plugin's `load`.
    """
    if _current is None:
        raise ModelUnavailable("the data set is not loaded")
    return _current[0]


def datasets() -> list[Dataset]:
    """For `/datasets`: the data set in use, none before it is loaded."""
    return [] if _current is None else [_current[1]]
