"""`python -m deployment.check [NAME...]`: runs the checks, and tells which held, in a table at the end.

`SKIP_MISSING=1` leaves out what has no files or no tool here, and says so; `LAB=DIR` is where the lab's tools are.
Exit code: 0 all held, 1 one did not or could not be run, 2 there is no such check.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deployment.check.checks import Check, Command, checks

ROOT = Path(__file__).resolve().parents[2]
_LIMIT_S = 600


@dataclass(frozen=True)
class Outcome:
    """What became of a check. `held` is None where it could not be run."""

    name: str
    held: bool | None
    told: str

    def fails(self, *, skip_missing: bool) -> bool:
        return not (self.held or (self.held is None and skip_missing))

    def line(self) -> str:
        word = {True: "ok", False: "FAILED", None: "not run"}[self.held]
        return f"{word:<8} {self.name:<28} {self.told}"


def there(tool: str) -> bool:
    """A path that is a file, or a name on the PATH."""
    return Path(tool).is_file() if "/" in tool else shutil.which(tool) is not None


def run(check: Check, root: Path) -> Outcome:
    """Check the files below a folder; what the tools say goes to the terminal."""
    files = check.files(root)
    if not files:
        return Outcome(check.name, None, f"there is no {' or '.join(check.patterns)}")
    way = check.way(there)
    if way is None:
        return Outcome(check.name, None, f"needs {check.missing(there)}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for command in way.commands(files, Path(folder)):
            problem = _problem(command, root)
            if problem:
                return Outcome(check.name, False, problem)
    tools = ", ".join(Path(tool).name for tool in way.needs)
    return Outcome(check.name, True, f"{len(files)} files by {tools}, {time.monotonic() - began:.0f} s")


def _problem(command: Command, root: Path) -> str | None:
    sys.stdout.write(f"+ {' '.join(command.words)[:200]}\n")
    sys.stdout.flush()
    environment = os.environ | dict(command.environment)
    try:
        if command.saved_as is None:
            # What is run stands in checks.py; nothing in it comes from outside.
            done = subprocess.run(command.words, cwd=root, env=environment, timeout=_LIMIT_S, check=False)  # noqa: S603
        else:
            with command.saved_as.open("wb") as output:
                done = subprocess.run(  # noqa: S603 - as above
                    command.words, cwd=root, env=environment, timeout=_LIMIT_S, check=False, stdout=output
                )
    except subprocess.TimeoutExpired:
        return f"{command.words[0]} did not end within {_LIMIT_S} s"
    return f"{Path(command.words[0]).name} ended with {done.returncode}" if done.returncode else None


def main(names: Sequence[str]) -> int:
    lab = Path(os.environ.get("LAB") or ROOT.parent / "shared" / "lab")
    every = checks(lab)
    unknown = set(names) - {check.name for check in every}
    if unknown:
        sys.stderr.write(f"there is no check {', '.join(sorted(unknown))}; there are: ")
        sys.stderr.write(", ".join(check.name for check in every) + "\n")
        return 2
    skip_missing = os.environ.get("SKIP_MISSING", "") == "1"
    outcomes = [run(check, ROOT) for check in every if not names or check.name in names]
    sys.stdout.write("\n" + "".join(f"{outcome.line()}\n" for outcome in outcomes))
    return 1 if any(outcome.fails(skip_missing=skip_missing) for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
