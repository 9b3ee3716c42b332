"""An inference response as bytes: JSON alone, or JSON followed by binary tensor data. Pure.

What a model says with each answer in the same words is made once (`Form`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from common.errors import AtollError, Invalid
from common.serving.oip.datatypes import DATATYPES, Datatype, to_binary, to_json
from common.serving.oip.reading import InferRequest
from common.serving.tensors import Array, TensorSpec


@dataclass(frozen=True, slots=True)
class _Output:
    name: str
    datatype: Datatype
    # Up to the value of `shape`.
    begin: bytes


class Form:
    """What stands in each answer of a model.

    Parameters
    ----------
    name : under which it was asked for.
    version : that answers; empty for none.
    """

    __slots__ = ("_begin", "_outputs", "names", "version")

    def __init__(self, outputs: Sequence[TensorSpec], name: str, version: str) -> None:
        self.version = version
        told = b',"model_version":' + orjson.dumps(version) if version else b""
        self._begin = b'{"model_name":' + orjson.dumps(name) + told
        self._outputs = {
            spec.name: _Output(
                spec.name,
                DATATYPES[spec.datatype],
                b'{"name":' + orjson.dumps(spec.name) + b',"datatype":"' + spec.datatype.encode() + b'","shape":',
            )
            for spec in outputs
        }
        self.names = tuple(self._outputs)

    def check(self, request: InferRequest) -> None:
        """Refuse a request for an output that there is not."""
        for name in request.outputs or ():
            if name not in self._outputs:
                raise Invalid.field("outputs", f"there are {', '.join(self.names)[:300]}", name)

    def write(self, request: InferRequest, found: Mapping[str, Array]) -> tuple[bytes, int | None]:
        """The body, and the length of its JSON where binary data follow it."""
        head, tails = [self._begin], []
        if request.id is not None:
            head += (b',"id":', orjson.dumps(request.id))
        separator = b',"outputs":['
        wanted = request.outputs if request.outputs is not None else dict.fromkeys(self.names, request.is_binary)
        for name, is_binary in wanted.items():
            array = found.get(name)
            if array is None:
                if request.outputs is None:
                    # One that the model gives at times only.
                    continue
                raise AtollError(f"the model gave no output {name}")
            output = self._outputs[name]
            head += (separator, output.begin, orjson.dumps(array.shape))
            if is_binary:
                tail = to_binary(output.datatype, array)
                tails.append(tail)
                head += (b',"parameters":{"binary_data_size":', str(len(tail)).encode(), b"}}")
            else:
                head += (b',"data":', to_json(name, output.datatype, array), b"}")
            separator = b","
        head.append(b"]}" if separator == b"," else b',"outputs":[]}')
        text = b"".join(head)
        if not tails:
            return text, None
        return b"".join((text, *tails)), len(text)
