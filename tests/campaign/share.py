"""A file share that can be full: a small file system of its own."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SIZE = "96m"


@contextlib.contextmanager
def small_share(folder: Path) -> Iterator[Path | None]:
    """Mount a file system in memory at `folder`; None where this user may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "atoll-campaign", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        # Lazily: a process that is just ending may still have a file open there.
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
