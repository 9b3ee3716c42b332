"""Wall clocks that jump: a few lines of C between the processes and the system, steered by a file each.

Not libfaketime: with a clock that is off, its `clock_nanosleep` refuses every sleep of Python.
"""

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


def build(folder: Path) -> Path | None:
    """The library that processes are to preload; None where there is no C compiler, or no Linux."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    made = folder / "clock.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(made), str(_SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return made if done.returncode == 0 else None


def environment(library: Path, file: Path) -> dict[str, str]:
    """What a process needs for its clock to follow `file`."""
    set_clock(file, 0)
    return {"LD_PRELOAD": str(library), "CAMPAIGN_CLOCK": str(file)}


def set_clock(file: Path, offset_s: int) -> None:
    """Let the clocks of the processes that follow `file` be off by so many seconds, at once."""
    # In place: they have this very file in their memory.
    with file.open("r+b" if file.exists() else "wb") as out:
        out.write(struct.pack("=q", offset_s))
