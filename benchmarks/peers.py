"""Environments for what we compare with: each of its own, made once, below `.venv`, so that they go with it.

None of it is a dependency of Atoll, and no two have to agree about versions.
"""

import json
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import NotMeasured

FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "peers"
_LIMIT_S = 900.0
_STAMP = "installed.json"


@dataclass(frozen=True)
class Way:
    """One way to install something.

    Attributes
    ----------
    requirements : as pip takes them.
    options : more for `pip install`, e.g. `--no-deps`.
    """

    requirements: Sequence[str]
    options: Sequence[str] = ()


@dataclass(frozen=True)
class Environment:
    """What one contestant needs; the first way that succeeds counts."""

    name: str
    ways: Sequence[Way]

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    def python(self) -> str:
        """Its interpreter; the environment is made where it is not there, or was made for something else.

        Raises
        ------
        NotMeasured
            It cannot be installed in any of the ways; says pip's reason for each. A later call tries again.
        """
        wanted = self._wanted()
        found = self._stamp()
        if found.get("wanted") != wanted:
            self._make(wanted)
        return str(self._python)

    def told(self) -> str:
        """The packages asked for, with their versions."""
        names = sorted({re.split(r"[^A-Za-z0-9_.-]", text)[0] for way in self.ways for text in way.requirements})
        program = (
            "import sys; from importlib.metadata import version; "
            "print(*(f'{name} {version(name)}' for name in sys.argv[1:]), sep=', ')"
        )
        done = subprocess.run([self._python, "-c", program, *names], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @property
    def _python(self) -> Path:
        return self.folder / "bin" / "python"

    def _wanted(self) -> list[object]:
        ways = [[list(way.requirements), list(way.options)] for way in self.ways]
        return [list(sys.version_info[:2]), ways]

    def _stamp(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads((self.folder / _STAMP).read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _make(self, wanted: list[object]) -> None:
        reasons = []
        for way in self.ways:
            shutil.rmtree(self.folder, ignore_errors=True)
            print(f"  installing {' '.join(way.requirements)}", flush=True)
            venv.create(self.folder, with_pip=True)
            try:
                reason = self._install(way)
            except subprocess.TimeoutExpired:
                reason = f"took longer than {_LIMIT_S:.0f} s"
            if reason is None:
                (self.folder / _STAMP).write_text(json.dumps({"wanted": wanted}))
                return
            reasons.append(f"{' '.join(way.requirements)}: {reason}")
        shutil.rmtree(self.folder, ignore_errors=True)
        raise NotMeasured(f"{self.name} cannot be installed. " + "; ".join(reasons))

    def _install(self, way: Way) -> str | None:
        """The reason why not; None where it succeeded."""
        command = [str(self._python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *way.options]
        done = subprocess.run(
            [*command, *way.requirements], capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        if not done.returncode:
            return None
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        # A list of every version there is says nothing.
        return (errors[-1] if errors else "pip gave no reason").partition(" (from versions:")[0][:300]
