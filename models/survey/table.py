"""Tables as clients send them: rows, columns, and the forms that pandas writes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import Invalid, TooLarge

MAX_ROWS = 100_000
_FORMS = "a list of rows {name: value}, columns {name: [value, …]}, or pandas' split form {columns, data}"


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, by name; `column` reads one, which for rows takes a walk over all of them."""

    names: Collection[str]
    n_rows: int
    column: Callable[[str], Sequence[Any]]


def check_size(given: object, field: str) -> None:
    """Refuse a table of more than `MAX_ROWS` rows; looks at nothing but lengths.

    Raises
    ------
    TooLarge
    """
    rows = given
    if isinstance(given, Mapping):
        rows = given["data"] if _is_split(given) or _is_described(given) else max(given.values(), key=_size, default=())
    if _size(rows) > MAX_ROWS:
        raise TooLarge(f"{field} has {_size(rows)} rows; send at most {MAX_ROWS}, for instance a random sample")


def read_table(given: object, field: str) -> Table:
    """The table in any of the accepted forms; a cell that a row does not have is None.

    Raises
    ------
    Invalid
        It is none of them, or its columns or rows are not of one length.
    """
    if isinstance(given, Mapping):
        if _is_split(given):
            table = _of_split(given["columns"], given["data"], field)
        elif _is_described(given):
            table = _of_rows(given["data"], field)
        else:
            table = _of_columns(given, field)
    elif isinstance(given, list):
        table = _of_rows(given, field)
    else:
        raise Invalid.field(field, f"not a table; send {_FORMS}", given)
    if not table.n_rows or not table.names:
        raise Invalid.field(field, f"has no {'rows' if table.names else 'columns'}; send {_FORMS}")
    return table


def _size(value: object) -> int:
    return len(value) if isinstance(value, list | Mapping) else 0


def _is_split(given: Mapping[str, Any]) -> bool:
    """Two columns called "columns" and "data" hold answers, not lists of them."""
    if not {"columns", "data"} <= given.keys() <= {"index", "columns", "data"}:
        return False
    rows = given["data"]
    return isinstance(rows, list) and isinstance(given["columns"], list) and all(isinstance(row, list) for row in rows)


def _is_described(given: Mapping[str, Any]) -> bool:
    """The form that pandas calls "table": rows beside their schema."""
    rows = given.get("data")
    is_described = (
        given.keys() == {"schema", "data"} and isinstance(given["schema"], Mapping) and isinstance(rows, list)
    )
    return is_described and all(isinstance(row, Mapping) for row in rows or ())


def _of_rows(rows: list[Any], field: str) -> Table:
    names: dict[str, None] = {}
    for at, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise Invalid.field(f"{field}.{at}", "not a row; send rows as {name: value}", row)
        names |= dict.fromkeys(row)
    return Table(names, len(rows), lambda name: [row.get(name) for row in rows])


def _of_split(names: list[Any], rows: list[list[Any]], field: str) -> Table:
    for name in names:
        if not isinstance(name, str):
            raise Invalid.field(f"{field}.columns", "names of columns are text", name)
    if len(set(names)) != len(names):
        raise Invalid.field(f"{field}.columns", "a name stands there twice; give each column its own", names)
    for at, row in enumerate(rows):
        if len(row) != len(names):
            message = f"has {len(row)} values where columns has {len(names)}; send as many, null for none"
            raise Invalid.field(f"{field}.data.{at}", message, row)
    place = {name: at for at, name in enumerate(names)}
    return Table(place, len(rows), lambda name: [row[place[name]] for row in rows])


def _of_columns(given: Mapping[str, Any], field: str) -> Table:
    columns: dict[str, Sequence[Any]] = {}
    order: list[str] | None = None
    for name, column in given.items():
        if isinstance(column, list):
            columns[name] = column
        elif isinstance(column, Mapping):
            # {row label: value}, as pandas writes a column; the first column has the order of the rows.
            order = list(column) if order is None else order
            if column.keys() != set(order):
                raise Invalid.field(f"{field}.{name}", "does not have the rows of the other columns; send all of them")
            columns[name] = [column[label] for label in order]
        else:
            raise Invalid.field(f"{field}.{name}", f"not a column; send {_FORMS}", column)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        longest, shortest = max(lengths, key=lengths.__getitem__), min(lengths, key=lengths.__getitem__)
        raise Invalid.field(
            f"{field}.{shortest}",
            f"has {lengths[shortest]} values where {longest!r} has {lengths[longest]}; send as many, null for none",
        )
    return Table(columns, next(iter(lengths.values()), 0), columns.__getitem__)
