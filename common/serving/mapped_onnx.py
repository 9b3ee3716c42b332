"""Large models from a file that is mapped into memory, as the runtime wants their weights.

ONNX Runtime lays weights out anew for the processor when it opens a model, on the heap of each process: for a
DistilBERT in eight bits 120 MB each. Here that is done once: the result is written to a folder, keyed by the model, the
version of the runtime and the processor, and mapped by all processes, which so share its pages. Opening one takes
50 ms instead of half a second.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

from common.locks import Turns
from common.telemetry.logs import get_logger

log = get_logger("atoll.serving")

_MODEL, _WEIGHTS = "model.onnx", "model.weights"
# Smaller models are opened as fast from memory, and take little of it.
WORTH_BYTES = 16 << 20
_MOST_S = 120
_KEPT = 4


@dataclass(frozen=True)
class Cpu:
    """What of a processor determines the layout of weights.

    Attributes
    ----------
    name : differs between processors for which weights are laid out differently.
    has_vnni : bytes are multiplied without overflow.
    """

    name: str
    has_vnni: bool

    @classmethod
    @lru_cache(maxsize=1)
    def here(cls) -> Self:
        flags: set[str] = set()
        with suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith(("flags", "Features")):
                    flags = set(line.partition(":")[2].split())
                    break
        machine = platform.machine().lower()
        name = f"{machine} {platform.processor()} {' '.join(sorted(flags))}"
        # Arm multiplies bytes into 32 bits.
        is_arm = machine in {"arm64", "aarch64"}
        return cls(name, is_arm or bool(flags & {"avx512_vnni", "avx_vnni", "avx_vnni_int8"}))


def mapped(model: Path, cache: Path, *, digest: str | None = None, kept: int = _KEPT) -> Path | None:
    """A copy of the model to be opened with no optimisation; None where it is too small to be worth it, or cannot be
    written: then it is opened as it is, and works as well.

    Parameters
    ----------
    cache : folder of this machine.
    digest : of the content, where it is known; else place, size and time tell one model from another.
    kept : copies that stay; those that were opened longest ago go.
    """
    import onnxruntime

    stat = model.stat()
    if stat.st_size < WORTH_BYTES:
        return None
    # Not by its content, which takes as long to read as all the rest. Whole seconds: layers of images keep no more.
    place = digest or f"{model.absolute()}\n{stat.st_size}\n{int(stat.st_mtime)}"
    identity = f"{place}\n{onnxruntime.__version__}\n{Cpu.here().name}"
    folder = cache / hashlib.sha256(identity.encode()).hexdigest()[:32]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Of several processes that start at once one writes.
        with Turns(str(folder)):
            if not _is_whole(folder):
                _write(model, folder)
                _remove_old(cache, folder, kept)
        os.utime(folder)
    except (OSError, subprocess.SubprocessError) as exc:
        log.warning("weights cannot be shared between processes; each holds its own", reason=str(exc)[:300])
        return None
    return folder / _MODEL


def prepare(model: Path, folder: Path) -> None:
    """Write the copy. In a process of its own: the memory that it takes is not given back."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / _MODEL)
    for name, value in (
        ("session.optimized_model_external_initializers_file_name", _WEIGHTS),
        ("session.optimized_model_external_initializers_min_size_in_bytes", "1024"),
        ("session.save_external_prepacked_constant_initializers", "1"),
    ):
        options.add_session_config_entry(name, value)
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _write(model: Path, folder: Path) -> None:
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        code = "import sys; from pathlib import Path; from common.serving.mapped_onnx import prepare; "
        code += "prepare(Path(sys.argv[1]), Path(sys.argv[2]))"
        command = [sys.executable, "-c", code, str(model.absolute()), str(scratch.absolute())]
        root = str(Path(__file__).parents[2])
        subprocess.run(command, check=True, capture_output=True, timeout=_MOST_S, cwd=root)  # noqa: S603 - our own code
        sizes = [(scratch / name).stat().st_size for name in (_MODEL, _WEIGHTS)]
        (scratch / "sizes").write_text(" ".join(map(str, sizes)))
        if folder.exists():
            shutil.rmtree(folder)
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    try:
        sizes = [(folder / name).stat().st_size for name in (_MODEL, _WEIGHTS)]
        return (folder / "sizes").read_text() == " ".join(map(str, sizes))
    except OSError:
        return False


def _remove_old(cache: Path, newest: Path, kept: int) -> None:
    """Copies of models that are served no more. What is mapped stays readable after it is removed."""
    found = [path for path in cache.iterdir() if path.is_dir() and not path.name.startswith(".") and path != newest]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[kept - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
