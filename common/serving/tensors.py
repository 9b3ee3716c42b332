"""Models as functions from named tensors to named tensors: what the Open Inference Protocol speaks of.

A plugin that declares `tensors` gives its models itself (uploaded ones, say); of the others they are derived from the
schema of their `/predict`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from common.errors import Invalid
from common.serving.items import Asked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]
else:
    Array = Any


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output.

    Parameters
    ----------
    datatype : as the protocol names it: BOOL, UINT8 … INT64, FP16, BF16, FP32, FP64, BYTES.
    shape : -1 where any length will do; the first dimension is the batch, where there is one.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


def check_inputs(specs: Sequence[TensorSpec], inputs: Mapping[str, Array], datatypes: Mapping[str, str]) -> None:
    """Refuse what is not the inputs of a model: names, datatypes or shapes.

    Parameters
    ----------
    datatypes : of the inputs, by name.

    Raises
    ------
    Invalid
        The detail says what to send.
    """
    for spec in specs:
        array = inputs.get(spec.name)
        if array is None:
            raise Invalid.field(spec.name, f"is missing; the inputs are {_told(specs)}", where="inputs")
        if datatypes[spec.name] != spec.datatype:
            told = f"is {datatypes[spec.name]}; send {spec.datatype}"
            raise Invalid.field(spec.name, told, where="inputs")
        shape = array.shape
        if shape != spec.shape and (
            len(shape) != len(spec.shape)
            or any(size not in (wanted, -1) for size, wanted in zip(spec.shape, shape, strict=True))
        ):
            told = f"has the shape {list(shape)}; send {list(spec.shape)}, where -1 is any length"
            raise Invalid.field(spec.name, told, where="inputs")
    if len(inputs) > len(specs):
        unknown = next(name for name in inputs if name not in {spec.name for spec in specs})
        raise Invalid.field(unknown, f"is no input; the inputs are {_told(specs)}", where="inputs")


def _told(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} ({spec.datatype} {list(spec.shape)})" for spec in specs)[:1000]


class TensorModel(Protocol):
    """One version of a model, ready to infer."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """The number in the registry as a text; empty where the model has none."""
        ...

    @property
    def platform(self) -> str:
        """What runs it, e.g. `onnx_onnxv1` or `atoll_plugin`."""
        ...

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    async def infer(self, inputs: Mapping[str, Array], asked: Asked) -> Mapping[str, Array]:
        """Outputs by name. BF16 tensors are float32 arrays here, BYTES are arrays of objects (`bytes`).

        Raises
        ------
        Invalid
            Names, datatypes or shapes are not those of `inputs`; the detail says what to send.
        Busy, TooManyRequests, Unavailable
        """
        ...


class TensorModels(Protocol):
    """Models that a plugin serves by tensors. Methods may be called from any event loop."""

    async def names(self) -> Sequence[str]: ...

    async def versions(self, name: str) -> Sequence[str]:
        """Numbers, as texts, of the versions that can be asked for. Raises NotFound."""
        ...

    async def find(self, name: str, version: str | None = None) -> TensorModel:
        """The model at a version (a number or an alias), or at the one that serves; loaded when it is first asked for.

        Raises
        ------
        NotFound
        Unavailable
            It cannot be loaded; the detail says why.
        """
        ...

    def known(self, name: str) -> TensorModel | None:
        """The version that serves, where it is loaded and may be used without a look anywhere; else None."""
        ...


@runtime_checkable
class TellsReasons(Protocol):
    """What `TensorModels` may also do."""

    def reasons(self) -> Mapping[str, str]:
        """Why versions do not serve that an alias points to, or that were asked for, by `name:number`."""
        ...
