"""An Optuna study in one file of the task's output: it outlives the process, and is read by Atoll when it is over."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from optuna.storages.journal import BaseJournalBackend


class FileJournal(BaseJournalBackend):
    """The entries of a study, a line each. One process writes; `run.sh` sees to that."""

    def __init__(self, file: Path) -> None:
        self._file = file
        # Of a process that was killed while it wrote.
        whole = b"".join(_whole_lines(file))
        if file.exists() and file.stat().st_size > len(whole):
            file.write_bytes(whole)

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return [orjson.loads(line) for line in _whole_lines(self._file)[log_number_from:]]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        with self._file.open("ab") as file:
            file.write(b"".join(orjson.dumps(entry, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n" for entry in logs))


def entries_in(content: bytes) -> list[dict[str, Any]]:
    """The entries of a journal's file, but for one that was not written to its end."""
    return [orjson.loads(line) for line in content.split(b"\n")[:-1]]


def _whole_lines(file: Path) -> list[bytes]:
    if not file.exists():
        return []
    return [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
