"""The Open Inference Protocol (version 2) as the clients speak it: tensors in, tensors out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from common.client.calls import Call, Flow, Repeat
from common.client.errors import AtollClientError
from common.client.flows import Flows
from common.client.server_flows import is_well

# Arrays by name, or tensors as the protocol writes them.
Inputs = Mapping[str, Any] | Sequence[Mapping[str, Any]]
_JSON = {"Content-Type": "application/json"}
_DATATYPES = {"float64": "FP64", "float32": "FP32", "float16": "FP16", "bool": "BOOL"}


class InferenceCalls(ABC):
    """Part of `Client`."""

    flows: Flows

    @abstractmethod
    def run(self, flow: Flow[Any]) -> Any:
        """Carry a flow to its end."""

    def inference_server(self) -> dict[str, Any]:
        """Name, version and extensions of the server, as the protocol tells them."""
        return _dict(self.run(self.flows.get("/v2")))

    def is_inference_live(self) -> bool:
        """Whether it answers; no error where it does not."""
        return bool(self.run(is_well("/v2/health/live")))

    def is_inference_ready(self) -> bool:
        """Whether all models are ready."""
        return bool(self.run(is_well("/v2/health/ready")))

    def inference_models(self) -> list[str]:
        """Names of the models that speak the protocol."""
        return _names(self.run(self.flows.get("/v2/models")))

    def inference_index(self) -> list[dict[str, Any]]:
        """Each model and version, and its state."""
        found: list[dict[str, Any]] = self.run(_index(self.flows))
        return found

    def tensors(self, model: str, version: int | str | None = None) -> dict[str, Any]:
        """Inputs and outputs of a model: names, datatypes, shapes."""
        return _dict(self.run(self.flows.get(_place(model, version))))

    def is_model_ready(self, model: str, version: int | str | None = None) -> bool:
        """Whether the model is there and ready."""
        return bool(self.run(is_well(f"{_place(model, version)}/ready")))

    def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        version: int | str | None = None,
        outputs: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> dict[str, Any]:
        """What the model makes of tensors: `outputs`, each with `name`, `datatype`, `shape` and `data`.

        Parameters
        ----------
        inputs : arrays, lists or texts by name, `{"x": [[1.0, 2.0]]}`, whose datatypes are taken from them (or, where
            they fit, from the model); or tensors as the protocol writes them.
        outputs : names of those wanted; by default all.
        """
        return _dict(self.run(_infer(self.flows, model, version, inputs, outputs, parameters, request_id)))


class AsyncInferenceCalls(ABC):
    """Part of `AsyncClient`; parameters and errors are those of `InferenceCalls`."""

    flows: Flows

    @abstractmethod
    async def run(self, flow: Flow[Any]) -> Any:
        """Carry a flow to its end."""

    async def inference_server(self) -> dict[str, Any]:
        return _dict(await self.run(self.flows.get("/v2")))

    async def is_inference_live(self) -> bool:
        return bool(await self.run(is_well("/v2/health/live")))

    async def is_inference_ready(self) -> bool:
        return bool(await self.run(is_well("/v2/health/ready")))

    async def inference_models(self) -> list[str]:
        return _names(await self.run(self.flows.get("/v2/models")))

    async def inference_index(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.run(_index(self.flows))
        return found

    async def tensors(self, model: str, version: int | str | None = None) -> dict[str, Any]:
        return _dict(await self.run(self.flows.get(_place(model, version))))

    async def is_model_ready(self, model: str, version: int | str | None = None) -> bool:
        return bool(await self.run(is_well(f"{_place(model, version)}/ready")))

    async def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        version: int | str | None = None,
        outputs: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> dict[str, Any]:
        return _dict(await self.run(_infer(self.flows, model, version, inputs, outputs, parameters, request_id)))


def tensor(name: str, values: Any) -> dict[str, Any]:
    """A tensor as the protocol writes it, from an array, nested lists, a number or a text.

    Raises
    ------
    ValueError
        The values are not numbers, texts or truth values, or their lists are of different lengths.
    """
    import numpy as np

    found = np.asarray(values)
    found = found.reshape(1) if found.ndim == 0 else found
    kind, size = found.dtype.kind, found.dtype.itemsize
    if kind in "iu":
        datatype = f"{'UINT' if kind == 'u' else 'INT'}{8 * size}"
    elif kind in "US":
        datatype = "BYTES"
    elif (known := _DATATYPES.get(found.dtype.name)) is not None:
        datatype = known
    else:
        raise ValueError(f"{name} holds {found.dtype}; give numbers, texts or truth values")
    data = found.ravel().tolist()
    flat = [item.decode() if isinstance(item, bytes) else item for item in data]
    return {"name": name, "datatype": datatype, "shape": list(found.shape), "data": flat}


def _infer(
    flows: Flows,
    model: str,
    version: int | str | None,
    inputs: Inputs,
    outputs: Sequence[str] | None,
    parameters: Mapping[str, Any] | None,
    request_id: str | None,
) -> Flow[dict[str, Any]]:
    if isinstance(inputs, Mapping):
        told = yield from flows.get(_place(model, version))
        wanted = {item["name"]: item["datatype"] for item in told["inputs"]}
        unknown = sorted(inputs.keys() - wanted.keys())
        if unknown:
            raise AtollClientError(f"{model} has no input {unknown[0]!r}; it has {', '.join(wanted)}")
        tensors = [_fitting(tensor(name, values), wanted[name]) for name, values in inputs.items()]
    else:
        tensors = [dict(item) for item in inputs]
    body = {
        "inputs": tensors,
        "outputs": None if outputs is None else [{"name": name} for name in outputs],
        "parameters": parameters,
        "id": request_id,
    }
    content = orjson.dumps({key: value for key, value in body.items() if value is not None}, option=_NUMPY)
    call = Call("POST", f"{_place(model, version)}/infer", headers=_JSON, body=content, repeat=Repeat.UNLESS_SLOW)
    answer = yield from flows.send(call)
    value: dict[str, Any] = answer.value
    return value


def _fitting(made: dict[str, Any], wanted: str) -> dict[str, Any]:
    """With the model's own datatype, where lists of Python's numbers do not say which they are."""
    families = (("FP", "INT", "UINT"), ("BYTES",), ("BOOL",))
    is_same = any(made["datatype"].startswith(family) and wanted.startswith(family) for family in families)
    return made | {"datatype": wanted} if is_same else made


def _index(flows: Flows) -> Flow[Any]:
    answer = yield from flows.send(Call("POST", "/v2/repository/index", headers=_JSON, body=b"{}"))
    return answer.value


_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def _place(model: str, version: int | str | None) -> str:
    part = "" if version is None else f"/versions/{quote(str(version), safe='')}"
    return f"/v2/models/{quote(model, safe='')}{part}"


def _names(told: Any) -> list[str]:
    return [str(name) for name in told["models"]]


def _dict(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = value
    return found
