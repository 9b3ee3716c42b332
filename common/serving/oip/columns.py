"""Tensors of a typed `/predict`, after the JSON schemas of its request and its answer. Pure.

A field is a tensor of its name: a text is BYTES, an integer INT64, a number FP64, true or false BOOL; whatever else is
BYTES that hold JSON. Of alternatives the first counts.

Tensors are columns (shape [-1]): each row is one request. But where a request's only required field is a list, its
elements are the rows, and all of them are one request (`is_list`): other fields hold for all rows then (shape [1]), and
of the answer each list is a column and everything else has the shape [1].
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from common.errors import Invalid
from common.serving.tensors import Array, TensorSpec

_DATATYPES = {"string": "BYTES", "integer": "INT64", "number": "FP64", "boolean": "BOOL"}
# What a caller may send for a datatype: JSON has but one kind of number.
_TAKEN = {
    "BYTES": ("BYTES",),
    "BOOL": ("BOOL",),
    "INT64": ("INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8"),
}
_TAKEN["FP64"] = ("FP64", "FP32", "FP16", "BF16", *_TAKEN["INT64"])
# The name of an answer that is no object.
WHOLE = "output"


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a request or an answer, or the answer as a whole.

    Parameters
    ----------
    is_json : BYTES that hold JSON; else the value itself.
    is_optional : it may be left out.
    is_list : its elements are the rows.
    """

    spec: TensorSpec
    is_json: bool = False
    is_optional: bool = False
    is_list: bool = False

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Columns:
    """Those of a request, or of an answer.

    Parameters
    ----------
    is_list : see above.
    is_whole : the one column is the answer as a whole.
    """

    by_name: Mapping[str, Column]
    is_list: bool
    is_whole: bool = False
    specs: tuple[TensorSpec, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "specs", tuple(column.spec for column in self.by_name.values()))

    @property
    def optional(self) -> frozenset[str]:
        return frozenset(column.name for column in self.by_name.values() if column.is_optional)


def request_columns(schema: Mapping[str, Any]) -> Columns:
    """The columns of a request with this JSON schema, an object's."""
    fields, required = _fields(schema)
    lists = [name for name in required if "array" in _kinds(schema, fields[name])[:1]]
    is_list = len(required) == 1 and lists == list(required)
    columns = {}
    for name, given in fields.items():
        is_rows = is_list and name in required
        part = _resolved(schema, given).get("items", {}) if is_rows else given
        columns[name] = _column(
            schema, name, part, is_optional=name not in required, is_list=is_rows, is_one=is_list and not is_rows
        )
    return Columns(columns, is_list)


def answer_columns(schema: Mapping[str, Any] | None, *, is_list: bool) -> Columns:
    """The columns of an answer with this JSON schema; of one without any a single one (`WHOLE`), JSON."""
    top = {} if schema is None else _resolved(schema, schema)
    if "properties" not in top:
        columns = {WHOLE: _column(schema or {}, WHOLE, top, is_one=is_list)}
        return Columns(columns, is_list, is_whole=True)
    fields, required = _fields(schema or {})
    columns = {}
    for name, given in fields.items():
        is_optional = name not in required or "null" in _kinds(schema or {}, given)
        chosen = next((part for part in _alternatives(schema or {}, given) if part.get("type") != "null"), {})
        is_rows = is_list and chosen.get("type") == "array"
        part = chosen.get("items", {}) if is_rows else given
        column = _column(
            schema or {}, name, part, is_optional=is_optional, is_list=is_rows, is_one=is_list and not is_rows
        )
        columns[name] = _nullable(column) if is_optional and not is_rows else column
    return Columns(columns, is_list)


def requests_of(columns: Columns, inputs: Mapping[str, Array], datatypes: Mapping[str, str]) -> list[dict[str, Any]]:
    """The bodies of the requests that tensors stand for.

    Raises
    ------
    Invalid
        A tensor has another name, datatype or shape than `columns` has, or is missing.
    """
    told = ", ".join(f"{column.name} ({column.spec.datatype})" for column in columns.by_name.values())
    values: dict[str, list[Any]] = {}
    for name, array in inputs.items():
        column = columns.by_name.get(name)
        if column is None:
            raise Invalid.field(name, f"is no input; there are {told[:1000]}", where="inputs")
        if datatypes[name] not in _TAKEN[column.spec.datatype]:
            raise Invalid.field(name, f"{datatypes[name]}; send {column.spec.datatype}", where="inputs")
        if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
            raise Invalid.field(name, f"has the shape {list(array.shape)}; send [rows]", where="inputs")
        values[name] = _values(column, array)
    missing = [name for name, column in columns.by_name.items() if not column.is_optional and name not in values]
    if missing:
        raise Invalid.field(missing[0], f"is missing; the inputs are {told[:1000]}", where="inputs")
    if columns.is_list:
        return [{name: _of_all(columns.by_name[name], found) for name, found in values.items()}]
    rows = {len(found) for found in values.values()}
    if len(rows) > 1:
        sizes = ", ".join(f"{name}: {len(found)}" for name, found in values.items())
        raise Invalid(f"inputs have different numbers of rows ({sizes[:500]}); send one value a row in each")
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def outputs_of(columns: Columns, answers: Sequence[Any], asked: Iterable[str] | None = None) -> dict[str, Array]:
    """Tensors of answers, one for each request; optional ones that no answer has are left out unless asked for.

    Raises
    ------
    ValueError
        An answer is not what its schema says.
    """
    if columns.is_whole:
        return {WHOLE: _array(columns.by_name[WHOLE], answers)}
    found = {}
    for name, column in columns.by_name.items():
        values = [answer.get(name) for answer in answers]
        if column.is_optional and name not in (asked or ()) and all(value is None for value in values):
            continue
        if column.is_list:
            values = values[0] or []
        found[name] = _array(column, values)
    return found


def _of_all(column: Column, values: list[Any]) -> Any:
    if column.is_list:
        return values
    if len(values) != 1:
        raise Invalid.field(column.name, f"has {len(values)} values; send one, it holds for all rows", where="inputs")
    return values[0]


def _values(column: Column, array: Array) -> list[Any]:
    flat: list[Any] = array.ravel().tolist()
    if column.spec.datatype != "BYTES":
        return flat
    read = _read_json if column.is_json else _read_text
    try:
        return [read(element) for element in flat]
    except ValueError:
        told = "an element is no JSON, which this input takes" if column.is_json else "an element is no UTF-8 text"
        raise Invalid.field(column.name, told, where="inputs") from None


def _read_text(element: bytes) -> str:
    return element.decode()


def _read_json(element: bytes) -> Any:
    return orjson.loads(element)


def _array(column: Column, values: Sequence[Any]) -> Array:
    datatype = column.spec.datatype
    if datatype == "BYTES":
        made = np.empty(len(values), object)
        made[:] = [_element(column, value) for value in values]
        return made
    if datatype == "FP64":
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(values, np.int64 if datatype == "INT64" else np.bool_)


def _element(column: Column, value: Any) -> bytes:
    if column.is_json:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return b"" if value is None else str(value).encode()


def _column(
    schema: Mapping[str, Any],
    name: str,
    field: Mapping[str, Any],
    *,
    is_optional: bool = False,
    is_list: bool = False,
    is_one: bool = False,
) -> Column:
    kind = next((kind for kind in _kinds(schema, field) if kind != "null"), "")
    datatype = _DATATYPES.get(kind)
    spec = TensorSpec(name, datatype or "BYTES", (1,) if is_one else (-1,))
    return Column(spec, datatype is None, is_optional, is_list)


def _nullable(column: Column) -> Column:
    """The column of a value that may be null: NaN for numbers, nothing for texts."""
    spec = column.spec
    if spec.datatype == "INT64":
        return Column(TensorSpec(spec.name, "FP64", spec.shape), is_optional=True)
    if spec.datatype == "BOOL":
        return Column(TensorSpec(spec.name, "BYTES", spec.shape), is_json=True, is_optional=True)
    return column


def _fields(schema: Mapping[str, Any]) -> tuple[dict[str, Mapping[str, Any]], Sequence[str]]:
    top = _resolved(schema, schema)
    return dict(top.get("properties", {})), list(top.get("required", ()))


def _kinds(schema: Mapping[str, Any], field: Mapping[str, Any]) -> list[str]:
    """The JSON types of a field's alternatives; empty texts where they cannot be told."""
    return [str(part.get("type", "")) for part in _alternatives(schema, field)]


def _alternatives(schema: Mapping[str, Any], field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = _resolved(schema, field)
    parts = found.get("anyOf") or found.get("oneOf")
    return [_resolved(schema, part) for part in parts] if parts else [found]


def _resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(8):
        reference = part.get("$ref")
        if not isinstance(reference, str):
            break
        part = schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
    return part
