"""What a job's code prints goes into the job's log, where the one who waits for it can read it."""

import io
from collections.abc import Callable
from typing import TextIO

# A line that never ends must not take all memory.
_LINE_CHARS = 4000


class Prints(io.TextIOBase):
    """A text stream that gives whole lines to `keep`.

    Parameters
    ----------
    keep : takes a line; False if there is no job that it belongs to.
    otherwise : where such lines are written.
    """

    def __init__(self, keep: Callable[[str], bool], otherwise: TextIO) -> None:
        self._keep = keep
        self._otherwise = otherwise
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        if len(self._begun) > _LINE_CHARS:
            lines, self._begun = [*lines, self._begun], ""
        for line in lines:
            if line.strip() and not self._keep(line[:_LINE_CHARS]):
                self._otherwise.write(line + "\n")
        return len(text)
