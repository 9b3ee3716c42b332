"""Whether given tensors are those that a model takes; what is told where they are not."""

from collections.abc import Mapping, Sequence

import numpy as np

from common.errors import Invalid
from common.serving.tensors import Array, TensorSpec
from models.hosted.formats.card import NanPolicy
from models.hosted.formats.datatypes import NUMPY, datatype_of

_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_SHOWN = 20


class Fitting:
    """The inputs of one model. Tensors of a datatype that holds less are widened; others are refused."""

    def __init__(self, specs: Sequence[TensorSpec], nan: NanPolicy) -> None:
        self._specs = [
            (spec, np.dtype(NUMPY[spec.datatype]), nan == "refuse" and spec.datatype in _FLOATS) for spec in specs
        ]
        self._all = tuple(specs)

    def fit(self, given: Mapping[str, Array]) -> tuple[dict[str, Array], int]:
        """Tensors as the model takes them, and the number of rows.

        Raises
        ------
        Invalid
            Names, datatypes, shapes or NaN; the detail says what to send.
        """
        if len(given) != len(self._specs):
            raise self._names(given)
        fed: dict[str, Array] = {}
        rows = 0
        for spec, wanted, refuses_nan in self._specs:
            array = given.get(spec.name)
            if array is None:
                raise self._names(given)
            if array.dtype is not wanted and array.dtype != wanted:
                array = _cast(array, spec, wanted)
            if len(array.shape) != len(spec.shape):
                array = self._reshaped(array, spec)
            first = True
            for size, want in zip(array.shape, spec.shape, strict=True):
                if want >= 0 and size != want:
                    raise self._shape(array, spec)
                if first:
                    first = False
                    if want < 0 and fed and self._specs[0][0].shape[0] < 0 and size != rows:
                        raise Invalid(
                            f"input {spec.name!r} has {size} rows and {self._all[0].name!r} {rows}; send as many of "
                            "each"
                        )
                    rows = size if not fed else rows
            if not array.size:
                raise Invalid(f"input {spec.name!r} is empty (shape {list(array.shape)}); send at least one row")
            if refuses_nan and np.isnan(array).any():
                raise self._nan(array, spec)
            fed[spec.name] = array
        return fed, rows

    def _names(self, given: Mapping[str, Array]) -> Invalid:
        missing = [spec.name for spec in self._all if spec.name not in given]
        foreign = [name for name in given if name not in {spec.name for spec in self._all}]
        said = [f"{', '.join(map(repr, missing[:5]))} missing"] if missing else []
        said += [f"no input is named {', '.join(repr(name[:80]) for name in foreign[:5])}"] if foreign else []
        return Invalid(f"{'; '.join(said)}; send {told(self._all)}")

    def _reshaped(self, array: Array, spec: TensorSpec) -> Array:
        # One column is the same with and without the second dimension.
        if array.ndim == 1 and len(spec.shape) == 2 and spec.shape == (-1, 1):
            return array.reshape(-1, 1)
        raise self._shape(array, spec)

    def _shape(self, array: Array, spec: TensorSpec) -> Invalid:
        return Invalid(f"input {spec.name!r} has the shape {list(array.shape)}; send {told([spec])}")

    def _nan(self, array: Array, spec: TensorSpec) -> Invalid:
        place = [int(index) for index in np.argwhere(np.isnan(array))[0]]
        return Invalid(
            f"input {spec.name!r} has no number at {place} (NaN or null), and this model knows no missing values; fill "
            "them in before, or upload the model with `nan=allow`"
        )


def told(specs: Sequence[TensorSpec]) -> str:
    """Inputs for people: `'input' FP32 [n, 4]`."""
    shown = [
        f"{spec.name!r} {spec.datatype} [{', '.join('n' if size < 0 else str(size) for size in spec.shape)}]"
        for spec in specs[:_SHOWN]
    ]
    return ", ".join(shown) + (f" and {len(specs) - _SHOWN} more" if len(specs) > _SHOWN else "")


def _cast(array: Array, spec: TensorSpec, wanted: "np.dtype[np.generic]") -> Array:
    """The same values in a wider datatype."""
    if spec.datatype == "BYTES" and array.dtype.kind in "SU":
        return array.astype(object)
    if spec.datatype != "BYTES" and array.dtype.kind in "biuf" and np.can_cast(array.dtype, wanted, "safe"):
        return array.astype(wanted)
    try:
        given = datatype_of(array)
    except KeyError:
        given = str(array.dtype)
    raise Invalid(f"input {spec.name!r} is {given}; send {told([spec])}")
