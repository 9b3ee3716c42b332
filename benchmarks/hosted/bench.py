"""What the parts of a run share."""

import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import NotMeasured, Report
from benchmarks.serving.contestants import Contestant, python_of


@dataclass
class Bench:
    """
    Attributes
    ----------
    files : folder of the ONNX files.
    seconds : that a run takes.
    server_cpus, client_cpus : where each runs; None is anywhere.
    """

    report: Report
    scratch: Path
    files: Path
    rounds: int
    seconds: int
    is_quick: bool
    server_cpus: set[int] | None
    client_cpus: set[int] | None
    _folders: Iterator[int] = field(default_factory=itertools.count)

    def folder(self) -> Path:
        return self.scratch / str(next(self._folders))

    @contextlib.contextmanager
    def telling(self, what: str) -> Iterator[None]:
        """What has been measured is not lost with what cannot be."""
        try:
            yield
        except NotMeasured as exc:
            self.report.fail(what, exc)

    def prepare(self, contestant: Contestant) -> bool:
        """Make what it runs in; False where that cannot be had."""
        try:
            python_of(contestant)
        except (NotMeasured, subprocess.SubprocessError) as exc:
            self.report.fail(contestant.name, exc)
            return False
        if contestant.environment is not None:
            self.report.machine[contestant.name] = contestant.environment.told()
        return True
