"""Files of the share for programs that open them by path."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from common.storage.share import FileInfo, Share, ShareDown


def fetch_folder(share: Share, folder: str, cache_dir: Path, *, deep: bool = True) -> Path:
    """A folder of this machine with the files of a folder of the share, as they are now.

    Of a mounted share its own folder, whether or not it exists. Else a copy in `cache_dir`, complete and not changed
    afterwards: its name is made of the path, size and etag of every file, so another state of the share is another
    folder, and several processes may fetch at once. A file that has not changed is not fetched again.

    Parameters
    ----------
    cache_dir : `StorageSettings.cache_dir`; a state that is no longer used may be removed when no process runs.
    deep : also the files of folders in it; a mounted share's folder has them anyway.

    Raises
    ------
    ShareDown
        The share does not answer, or a file changed while it was fetched; try again.
    """
    mounted = share.local_path(folder)
    if mounted is not None:
        return mounted
    files = [file for file in share.find(folder) if deep or "/" not in file.path.removeprefix(folder + "/")]
    state = _key(share.label, folder, *(f"{file.path}\0{file.size_bytes}\0{file.etag}" for file in files))
    cache = cache_dir / "fetched"
    target = cache / state / Path(folder).name
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".fetch-"))
    try:
        (scratch / target.name).mkdir()
        for file in files:
            place = scratch / target.name / file.path.removeprefix(folder + "/")
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(_fetch(share, file, cache), place)
        # Another process may have been faster: a folder that is not empty cannot be replaced, and need not be.
        with suppress(OSError):
            scratch.replace(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not target.is_dir():
        raise ShareDown(f"{folder!r} could not be kept in {cache}; is there room?")
    return target


def _fetch(share: Share, file: FileInfo, cache: Path) -> Path:
    kept = cache / "files" / _key(share.label, file.path, str(file.size_bytes), file.etag)
    if kept.is_file():
        return kept
    kept.parent.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=kept.parent, prefix=".fetch-")
    scratch = Path(name)
    try:
        size_bytes = 0
        with os.fdopen(handle, "wb") as out:
            for chunk in share.read(file.path):
                out.write(chunk)
                size_bytes += len(chunk)
        now = share.stat(file.path)
        if size_bytes != file.size_bytes or now is None or now.etag != file.etag:
            raise ShareDown(f"{file.path!r} changed while it was fetched; try again")
        scratch.replace(kept)
    finally:
        scratch.unlink(missing_ok=True)
    return kept


def _link(kept: Path, place: Path) -> None:
    try:
        place.hardlink_to(kept)
    except OSError:
        # Some file systems have no second names for a file.
        shutil.copyfile(kept, place)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
