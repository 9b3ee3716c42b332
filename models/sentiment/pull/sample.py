"""Texts to measure and to compare on: those that come with the code, or a file of one's own."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import Invalid

OWN = Path(__file__).parent / "sample.tsv"
# More would take minutes, and change no figure.
_MOST = 1000
_FEWEST = 8
# Sentences of a long text, to measure by; those to be served may be as long as the model reads.
_JOINED = 12


@dataclass(frozen=True)
class Sample:
    """Texts with labels; every other one is to measure by, the others are to compare on.

    Attributes
    ----------
    labels : (n,) int64, 1 for positive.
    """

    texts: Sequence[str]
    labels: NDArray[np.int64]

    @property
    def measured(self) -> list[str]:
        """Texts by which ranges are measured, some of them long."""
        alone = list(self.texts[::2])
        return alone + [" ".join(alone[at : at + _JOINED]) for at in range(0, min(len(alone), 8 * _JOINED), _JOINED)]

    @property
    def compared(self) -> tuple[list[str], NDArray[np.int64]]:
        """Texts to compare on, and their labels."""
        return list(self.texts[1::2]), self.labels[1::2]


def read_sample(file: Path = OWN) -> Sample:
    """Read a table: a label (0 or 1), a tab, a text; a header is passed over. It may be compressed (`.gz`).

    Raises
    ------
    Invalid
        It is no such table, or has too few texts.
    """
    try:
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as exc:
        raise Invalid(f"{file.name} cannot be read: {exc}") from None
    lines = [line.split("\t") for line in text.split("\n") if line.strip()]
    if lines and lines[0][0] not in {"0", "1"}:
        lines = lines[1:]
    for number, line in enumerate(lines, 1):
        if len(line) != 2 or line[0] not in {"0", "1"}:
            raise Invalid(f"{file.name}: text {number} is not `0` or `1`, a tab and the text")
    if len(lines) < _FEWEST or len({line[0] for line in lines}) < 2:
        raise Invalid(f"{file.name}: {len(lines)} texts; give {_FEWEST} or more, of both labels")
    lines = lines[:_MOST]
    return Sample([line[1] for line in lines], np.array([int(line[0]) for line in lines], np.int64))
