"""The one error of this package.

Exception
└── DataSetError    a file of a data set is missing, unreadable or says something impossible
"""

from pathlib import Path


class DataSetError(Exception):
    """A data set cannot be used as it is; a person has to correct the file named.

    Attributes:
        file: the file at fault, as `<folder>/<file>`; where several are missing, their names joined by ", ".
        reason: what is wrong (with line and column where there is one) and what is expected, on one line.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)  # both in args, so that the error survives pickling between processes
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


def refuse(path: Path, reason: str, *, line: int | None = None, column: str | None = None) -> DataSetError:
    """The error for `path`, with the place in it where one is known."""
    place = [f"line {line}"] if line is not None else []
    if column is not None:
        place.append(f"column {shown(column)}")
    where = ", ".join(place)
    return DataSetError(f"{path.parent.name}/{path.name}", f"{where}: {reason}" if where else reason)


def shown(text: str, limit: int = 40) -> str:
    """`text` quoted, escaped to one line and cut short."""
    return repr(text if len(text) <= limit else text[:limit] + "…")
