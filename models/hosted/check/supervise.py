"""Starts the process that checks a model, ends it at its limits, and says why a model was refused."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from common.errors import Invalid, Unavailable
from common.telemetry.logs import get_logger
from models.hosted.check.checked import Asked, Checked, Limits
from models.hosted.formats.card import CARD, Card
from models.hosted.formats.sniff import refuse_pickle

log = get_logger("atoll.hosted")

_ROOT = Path(__file__).parents[3]
_REQUEST, _RESULT, _STDERR = "request.json", "result.json", "stderr.txt"
_TOLD_CHARS = 400
# One thread each: the limits are of address space, of which every thread takes some.
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"), "1")


def check(path: Path, filename: str, limits: Limits | None = None, asked: Asked | None = None) -> Checked:
    """Load and run a model in a process of its own.

    Parameters
    ----------
    path : the uploaded file; it is not changed.
    filename : as the caller named it; only its ending counts, and never as a path.
    limits : by default those of the settings.

    Raises
    ------
    Invalid
        The model is refused; the detail says why, and what to send instead.
    Unavailable
        The process could not be started.
    """
    # Not above: the process that it starts imports this module too, and needs no settings.
    from common.settings import get_settings

    limits, asked = limits or Limits.of(get_settings().models), asked or Asked()
    refuse_pickle(path, filename)
    folder = Path(tempfile.mkdtemp(prefix="atoll-check-"))
    try:
        request = {
            "path": str(path.absolute()),
            "filename": Path(filename).name[-200:],
            "folder": str(folder),
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_s,
            "unpacked_bytes": limits.unpacked_bytes,
            "files": limits.files,
            "library_version": asked.library_version,
            "nan": asked.nan,
        }
        (folder / _REQUEST).write_bytes(orjson.dumps(request))
        command = [sys.executable, "-m", "models.hosted.check.child", str(folder / _REQUEST)]
        told = run_child(command, folder, limits)
        card = Card.from_json(told["card"])
        artefacts = {name: Path(file) for name, file in told["artefacts"].items()}
        artefacts[CARD] = folder / CARD
        artefacts[CARD].write_bytes(orjson.dumps(card.as_json(), option=orjson.OPT_INDENT_2))
        return Checked(card, artefacts, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def run_child(command: list[str], folder: Path, limits: Limits) -> dict[str, Any]:
    """What the process wrote as its result.

    Raises
    ------
    Invalid
        It refused the model, or did not live to say anything.
    Unavailable
    """
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Nothing of the host's environment, where secrets are.
        **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        **_THREADS,
    }
    with (folder / _STDERR).open("wb") as stderr:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own code
                command,
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                close_fds=True,
                # A session of its own, so that what it starts goes with it.
                start_new_session=True,
            )
        except OSError as exc:
            raise Unavailable(f"the model cannot be checked: {exc.strerror}; try again", retry_after_s=5) from exc
        try:
            code = process.wait(limits.wall_s)
        except subprocess.TimeoutExpired:
            raise Invalid(
                f"the model did not load and answer within {limits.wall_s:g} s, as it has to before it is accepted"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    result = folder / _RESULT
    if code == 0 and result.is_file():
        told: dict[str, Any] = orjson.loads(result.read_bytes())
        if "refused" in told:
            raise Invalid(told["refused"])
        return told
    said = (folder / _STDERR).read_bytes()[-4000:].decode("utf-8", "replace").strip()
    log.warning("the check of a model ended early", code=code, stderr=said)
    raise Invalid(_why(code, said, limits))


def _why(code: int, said: str, limits: Limits) -> str:
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return f"loading or running the model took more than {limits.cpu_s} s of CPU time, and was ended"
    if code == -signal.SIGXFSZ:
        return "the model wrote more to disk than its check may"
    if code < 0:
        memory = any(word in said for word in ("bad_alloc", "MemoryError", "llocat"))
        if memory:
            return f"the model takes more than {limits.memory_bytes / 1e6:.0f} MB of memory"
        return f"the model ended the process that loaded it ({signal.Signals(-code).name}); it cannot be served"
    last = said.splitlines()[-1][-_TOLD_CHARS:] if said and code else "it called exit"
    return f"the model ended the process that loaded it (exit status {code}: {last}); it cannot be served"
