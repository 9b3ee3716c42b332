"""`{"values": …}` as tensors, and tensors as values: one observation, a batch, or columns by name. Pure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from common.errors import Invalid
from common.serving.tensors import Array, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLOATS = {"FP16": "float16", "BF16": "float32", "FP32": "float32", "FP64": "float64"}
_INTEGERS = {f"{kind}{bits}": f"{kind.lower()}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)}
_LARGEST = {"FP16": 65_504.0, "BF16": 3.3895313892515355e38, "FP32": 3.4028234663852886e38}
_SHOWN_INPUTS = 20


def to_tensors(values: Any, inputs: Sequence[TensorSpec]) -> dict[str, Array]:
    """A tensor for each input.

    Parameters
    ----------
    values : for a model with one input one observation or a list of them. For one with a column of its own for each
        feature a list of features, an object of features, lists of either, or an object of columns. For any other an
        object with what each input takes.

    Raises
    ------
    Invalid
        They do not fit; the detail says what the model takes.
    """
    if isinstance(values, dict):
        return _by_name(values, inputs)
    if not isinstance(values, list):
        raise Invalid.field("values", f"a list; {_taken(inputs)}", values)
    if not values:
        raise Invalid.field("values", f"the list is empty; {_taken(inputs)}")
    if isinstance(values[0], dict):
        return _by_name(_columns(values, inputs), inputs)
    if len(inputs) == 1:
        return {inputs[0].name: to_tensor(values, inputs[0])}
    if all(map(_is_column, inputs)):
        rows = values if isinstance(values[0], list) else [values]
        if all(isinstance(row, list) and len(row) == len(inputs) for row in rows):
            return {
                spec.name: to_tensor([_cell(row[place], spec) for row in rows], spec)
                for place, spec in enumerate(inputs)
            }
    raise Invalid.field("values", f"these do not fit; {_taken(inputs)}")


def to_tensor(values: Any, spec: TensorSpec) -> Array:
    """The tensor of one input; an observation without its batch becomes a batch of one.

    Raises
    ------
    Invalid
    """
    array = _array(values, spec)
    if array.ndim == len(spec.shape) - 1 and spec.shape[0] in (-1, 1):
        array = array[None]
    fits = array.ndim == len(spec.shape) and all(
        wanted in (-1, found) for wanted, found in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise Invalid.field("values", f"have the shape {list(array.shape)}; {_taken([spec])}")
    return array


def to_values(array: Array) -> bytes:
    """An output as JSON; NaN and infinities, which JSON does not have, as null; bytes as text."""
    if array.dtype.kind in "OSU":
        return orjson.dumps(array.tolist(), default=_text)
    import numpy as np

    return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)


def _by_name(values: Mapping[str, Any], inputs: Sequence[TensorSpec]) -> dict[str, Array]:
    names = [spec.name for spec in inputs]
    unknown = [name for name in values if name not in names]
    missing = [name for name in names if name not in values]
    if unknown or missing:
        told = f"there is no input {str(unknown[0])[:80]!r}" if unknown else f"the input {missing[0]!r} is missing"
        raise Invalid.field("values", f"{told}; {_taken(inputs)}")
    found = {}
    for spec in inputs:
        given = values[spec.name]
        cells = given if isinstance(given, list) else [given]
        column = _is_column(spec) and not any(isinstance(cell, list) for cell in cells)
        found[spec.name] = to_tensor([_cell(cell, spec) for cell in cells] if column else given, spec)
    lengths = {array.shape[0] for array in found.values() if array.ndim}
    if len(lengths) > 1 and all(spec.shape[:1] == (-1,) for spec in inputs):
        raise Invalid.field("values", f"the inputs have {sorted(lengths)[:5]} observations; send as many for each")
    return found


def _columns(rows: Sequence[Any], inputs: Sequence[TensorSpec]) -> dict[str, list[Any]]:
    """Objects of features as columns."""
    names = rows[0].keys()
    if not all(isinstance(row, dict) and row.keys() == names for row in rows):
        raise Invalid.field("values", f"not all of these objects have the same features; {_taken(inputs)}")
    return {name: [row[name] for row in rows] for name in names}


def _is_column(spec: TensorSpec) -> bool:
    """Whether an observation is one number or text."""
    return len(spec.shape) == 1 or (len(spec.shape) == 2 and spec.shape[1] == 1)


def _cell(cell: Any, spec: TensorSpec) -> Any:
    return cell if len(spec.shape) == 1 else [cell]


def _array(values: Any, spec: TensorSpec) -> "NDArray[Any]":
    import numpy as np

    if spec.datatype == "BYTES":
        return _texts(values, spec)
    try:
        array: NDArray[Any] = np.array(values)
        if array.dtype.kind == "O":
            # Lists with null among them, which is NaN here, and numbers beyond 64 bits.
            array = np.array(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise Invalid.field("values", f"are no numbers, or lists of different lengths; {_taken([spec])}") from None
    if array.dtype.kind not in "biuf":
        raise Invalid.field("values", f"hold texts; {_taken([spec])}")
    if spec.datatype == "BOOL":
        if array.dtype.kind != "b" and not np.isin(array, (0, 1)).all():
            raise Invalid.field("values", f"are neither true nor false; {_taken([spec])}")
        return array.astype(np.bool_)
    if spec.datatype in _INTEGERS:
        return _integers(array, spec)
    most = _LARGEST.get(spec.datatype)
    if most is not None and array.size and array.dtype.kind != "b":
        beyond = np.abs(array.astype(np.float64)) > most
        if beyond.any():
            raise Invalid.field("values", f"hold {array[beyond].flat[0]!s}, which is too large for {spec.datatype}")
    return array.astype(_FLOATS[spec.datatype])


def _integers(array: "NDArray[Any]", spec: TensorSpec) -> "NDArray[Any]":
    import numpy as np

    wanted = np.dtype(_INTEGERS[spec.datatype])
    bounds = np.iinfo(wanted)
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = np.isfinite(array) & (np.floor(array) == array)
        if not whole.all():
            raise Invalid.field("values", f"hold {array[~whole].flat[0]!s}, which is no whole number; {_taken([spec])}")
    if array.size and (int(array.min()) < bounds.min or int(array.max()) > bounds.max):
        raise Invalid.field("values", f"hold numbers beyond the range of {spec.datatype}")
    return array.astype(wanted)


def _texts(values: Any, spec: TensorSpec) -> "NDArray[Any]":
    import numpy as np

    try:
        array: NDArray[Any] = np.array(values, dtype=np.object_)
    except ValueError:
        raise Invalid.field("values", f"are lists of different lengths; {_taken([spec])}") from None
    if not all(isinstance(text, str) for text in array.flat):
        raise Invalid.field("values", f"hold what is no text; {_taken([spec])}")
    encoded = np.empty(array.size, dtype=np.object_)
    encoded[:] = [text.encode() for text in array.flat]
    return encoded.reshape(array.shape)


def _taken(inputs: Sequence[TensorSpec]) -> str:
    """What a model takes, for people."""
    shown = ", ".join(f"{spec.name!r} ({spec.datatype}, shape {list(spec.shape)})" for spec in inputs[:_SHOWN_INPUTS])
    more = f" and {len(inputs) - _SHOWN_INPUTS} more" if len(inputs) > _SHOWN_INPUTS else ""
    return f"the model takes {shown}{more}; send one observation or a list of them"


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
