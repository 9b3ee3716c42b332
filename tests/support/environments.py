"""Environments of their own for other people's clients, which Atoll does not depend on.

Each is made once, in the user's cache, with the versions that are named here, by uv; a name holds its requirements, so
that other ones make another environment.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.backends import missing

_INSTALL_S = 240


def python_with(name: str, *requirements: str) -> str:
    """The interpreter of an environment with these packages; where it cannot be made, the test skips or fails.

    Parameters
    ----------
    name : of the environment's folder.
    """
    digest = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "atoll" / "environments"
    folder = cache / f"{name}-{digest}"
    python = folder / "bin" / "python"
    cache.mkdir(parents=True, exist_ok=True)
    # Test processes that run in parallel make it once.
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run("venv", "--python", sys.executable, str(folder))
            _run("pip", "install", "--python", str(python), *requirements)
            (folder / "complete").touch()
    return str(python)


def _run(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    try:
        done = subprocess.run(
            [str(uv), "--quiet", "--no-config", *arguments],
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        missing(f"no environment can be made: {exc}")
    if done.returncode:
        missing(f"no environment can be made: {done.stderr[-500:]}")
