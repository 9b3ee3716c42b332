"""A Python 3.13 environment with Microsoft's worker library, made once and kept in the checkout's `.atoll` folder."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARY = "azure-functions-runtime==1.3.0"
_FOLDER = CHECKOUT / ".atoll" / "functions-3.13"


def find_python_313() -> Path | None:
    """An interpreter of Python 3.13 that runs, from PATH or pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [*sorted(pyenv.glob("versions/3.13*/bin/python")), shutil.which("python3.13")]
    for candidate in candidates:
        # A name on PATH may be a pyenv shim for a version that is not selected; only running it tells.
        if candidate and _runs_313(candidate):
            return Path(candidate)
    return None


def _runs_313(candidate: str | Path) -> bool:
    code = "import sys; print(sys.version_info[:2] == (3, 13))"
    try:
        run = subprocess.run([candidate, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and run.stdout.strip() == "True"


def environment(python: Path) -> Path:
    """The environment's interpreter; built anew when the requirements, the library or the interpreter changed."""
    requirements = CHECKOUT / "requirements.txt"
    key = hashlib.sha256(b"\n".join([requirements.read_bytes(), LIBRARY.encode(), str(python).encode()])).hexdigest()
    built, interpreter = _FOLDER / "built-for", _FOLDER / "bin" / "python"
    _FOLDER.parent.mkdir(exist_ok=True)
    # Several test processes may come here at once; the first one builds.
    with _FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (built.is_file() and built.read_text() == key):
            shutil.rmtree(_FOLDER, ignore_errors=True)
            _run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", str(python), str(_FOLDER))
            install = ["pip", "install", "--quiet", "--python", str(interpreter), "-r", str(requirements), LIBRARY]
            _run(sys.executable, "-m", "uv", *install)
            built.write_text(key)
    return interpreter


def _run(*command: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)}: {run.stderr[-3000:]}")
