"""Rows that a version was trained on, kept with it as the artefact `snapshot.npz`: what samples are compared with."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import Conflict, Invalid
from common.registry.drift.columns import INPUT, MOST_CHARS, MOST_COLUMNS, OUTPUT, text_of
from common.registry.drift.files import pack, unpack
from common.registry.versions import Version, listed

if TYPE_CHECKING:
    from common.registry.drift.columns import Array
    from common.registry.service import Registry

SNAPSHOT = "snapshot.npz"
# More of them say nothing new.
MOST_ROWS = 5000
_LARGEST = 64 << 20
_MISSING = frozenset({"", "na", "nan", "null", "none"})


def packed(given: "Mapping[str, Any] | Array", signature: Mapping[str, Any] | None = None, seed: int = 0) -> bytes:
    """A snapshot as the bytes of its artefact; of many rows a random part.

    Parameters
    ----------
    given : (n,) or (n, k) numbers or texts by name of the input; `output.name` for those of an output. An array alone
        is the only input that the signature has.

    Raises
    ------
    Invalid
    """
    if not isinstance(given, Mapping):
        names = [item["name"] for item in (signature or {}).get("inputs", ())]
        if len(names) != 1:
            raise Invalid(f"a snapshot without names is of a version with one input; give {listed(names)} by name")
        given = {names[0]: given}
    table: dict[str, Array] = {}
    for name, values in given.items():
        table |= _columns(str(name), values)
    if not table:
        raise Invalid("the snapshot has no columns")
    sizes = {column.size for column in table.values()}
    if len(sizes) != 1 or not max(sizes):
        raise Invalid("the columns of the snapshot have no rows, or different numbers of them")
    rows = sizes.pop()
    if rows > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
        table = {name: column[chosen] for name, column in table.items()}
    return pack(table)


def read(registry: "Registry", version: Version) -> "dict[str, Array] | None":
    """The columns of a version's snapshot; None where it has none.

    Raises
    ------
    Conflict
        What is there cannot be read as one.
    ShareDown, BlobDamaged
    """
    found = next((artefact for artefact in version.artefacts if artefact.name == SNAPSHOT), None)
    if found is None:
        return None
    if found.size_bytes > _LARGEST:
        raise Conflict(f"{SNAPSHOT} of {version.ref} has {found.size_bytes} bytes; {_LARGEST} are read at most")
    with registry.open(version, SNAPSHOT) as file:
        content = file.read()
    try:
        return unpack(content)
    except ValueError as exc:
        raise Conflict(f"{SNAPSHOT} of {version.ref} is {exc}; publish the version again") from None


def of_csv(content: bytes, signature: Mapping[str, Any] | None) -> "tuple[dict[str, Array], list[str]]":
    """Rows of a CSV file with a header as columns, and the names of those that are of no input or output.

    Columns are matched with the version's inputs by name; where none is and the version has one input of as many
    numbers, by their order.

    Raises
    ------
    Invalid
        The detail says of which line, or what the version takes.
    """
    header, rows = _csv(content)
    known = columns_of(signature)
    names = {name: name if name.startswith((INPUT, OUTPUT)) else INPUT + name for name in header}
    if known is None:
        chosen = names
    else:
        chosen = {name: full for name, full in names.items() if full in known}
        ordered = [full for full in known if full.startswith(INPUT)]
        if not chosen and len(ordered) == len(header):
            chosen = dict(zip(header, ordered, strict=True))
        if not chosen:
            told = listed(full.removeprefix(INPUT) for full in ordered)
            raise Invalid(f"none of these columns ({listed(header)}) is an input of the version, which has {told}")
    table = {chosen[name]: _parsed([row[at] for row in rows]) for at, name in enumerate(header) if name in chosen}
    return table, [name for name in header if name not in chosen]


def columns_of(signature: Mapping[str, Any] | None) -> list[str] | None:
    """Columns of the tensors of a signature, in their order; None where it does not tell."""
    found = []
    for side, tensors in ((INPUT, "inputs"), (OUTPUT, "outputs")):
        for tensor in (signature or {}).get(tensors, ()):
            sizes = [int(size) for size in tensor.get("shape", ())[1:]]
            if any(size < 0 for size in sizes):
                return None
            width = int(np.prod(sizes, dtype=np.int64))
            name = side + str(tensor["name"])
            if width > MOST_COLUMNS:
                found += [f"{name}.mean", f"{name}.std"]
            else:
                found += [name] if width == 1 else [f"{name}.{at}" for at in range(width)]
    return found or None


def _columns(name: str, values: Any) -> "dict[str, Array]":
    full = name if name.startswith((INPUT, OUTPUT)) else INPUT + name
    array = np.asarray(values)
    if array.ndim not in (1, 2) or array.dtype.kind not in "biufUSO":
        raise Invalid(f"{name!r} of the snapshot is no column of numbers or texts")
    if array.ndim == 1 or array.shape[1] == 1:
        return {full: _column(name, array.reshape(-1))}
    if array.shape[1] > MOST_COLUMNS:
        numbers = _column(name, array.reshape(-1)).reshape(array.shape)
        if numbers.dtype.kind == "U":
            raise Invalid(f"{name!r} of the snapshot has more than {MOST_COLUMNS} texts a row")
        return {f"{full}.mean": numbers.mean(axis=1), f"{full}.std": numbers.std(axis=1)}
    return {f"{full}.{at}": _column(name, array[:, at]) for at in range(array.shape[1])}


def _column(name: str, values: "Array") -> "Array":
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    cells = values.tolist()
    if any(isinstance(cell, str | bytes) for cell in cells):
        told = ["" if cell is None or cell != cell else text_of(cell)[:MOST_CHARS] for cell in cells]
        return np.array(told, dtype=np.str_)
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells], np.float64)
    except (TypeError, ValueError):
        raise Invalid(f"{name!r} of the snapshot is no column of numbers or texts") from None


def _csv(content: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Invalid(f"the snapshot is no UTF-8 text: byte {exc.start}") from None
    try:
        lines = [row for row in csv.reader(io.StringIO(text.replace("\0", ""))) if row]
    except csv.Error as exc:
        raise Invalid(f"the snapshot is no CSV: {exc}") from None
    if len(lines) < 2:
        raise Invalid("the snapshot has no rows; send CSV with a header and a line for each row of the training")
    header = [name.strip() for name in lines[0]]
    if len(set(header)) != len(header) or not all(header):
        raise Invalid("the header of the snapshot has a name twice, or an empty one")
    if len(header) > 2 * MOST_COLUMNS:
        raise Invalid(f"the snapshot has {len(header)} columns; send at most {2 * MOST_COLUMNS}")
    for number, row in enumerate(lines[1:], 2):
        if len(row) != len(header):
            raise Invalid(f"row {number} of the snapshot has {len(row)} cells, the header {len(header)}")
    return header, lines[1:]


def _parsed(cells: Sequence[str]) -> "Array":
    """Numbers where all that is there are some, else texts."""
    try:
        return np.array([np.nan if cell.strip().lower() in _MISSING else float(cell) for cell in cells], np.float64)
    except ValueError:
        return np.array([cell.strip()[:MOST_CHARS] for cell in cells], dtype=np.str_)
