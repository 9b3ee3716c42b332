"""A plugin whose models take tensors: one for each datatype that answers what it was asked, and a linear one."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from fastapi import APIRouter

from common.errors import NotFound
from common.plugins import Plugin
from common.serving.items import Asked
from common.serving.oip.datatypes import DATATYPES
from common.serving.tensors import Array, TensorModel, TensorSpec

router = APIRouter()


@router.get("/given-up")
async def given_up() -> int:
    """How many inferences were cancelled."""
    return Slow.given_up


class Echo:
    platform = "test"
    version = "1"

    def __init__(self, datatype: str) -> None:
        self.name = f"echo-{datatype.lower()}"
        self.inputs = (TensorSpec("X", datatype, (-1, -1)),)
        self.outputs = (TensorSpec("Y", datatype, (-1, -1)),)

    async def infer(self, inputs: Mapping[str, Array], asked: Asked) -> Mapping[str, Array]:
        return {"Y": inputs["X"]}


class Linear:
    """label: which of the first three columns, times the version, is largest; scores: these."""

    name = "linear"
    platform = "test"
    inputs = (TensorSpec("X", "FP32", (-1, 4)),)
    outputs = (TensorSpec("label", "INT64", (-1,)), TensorSpec("scores", "FP32", (-1, 3)))

    def __init__(self, version: str) -> None:
        self.version = version

    async def infer(self, inputs: Mapping[str, Array], asked: Asked) -> Mapping[str, Array]:
        scores = np.multiply(inputs["X"][:, :3], np.float32(self.version), dtype=np.float32)
        return {"label": scores.argmax(axis=1), "scores": scores}


class Slow:
    name, version, platform = "slow", "", "test"
    inputs = (TensorSpec("X", "BOOL", (-1,)),)
    outputs = (TensorSpec("Y", "BOOL", (-1,)),)
    given_up = 0

    async def infer(self, inputs: Mapping[str, Array], asked: Asked) -> Mapping[str, Array]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            Slow.given_up += 1
            raise
        return {"Y": inputs["X"]}


class Models:
    """`linear` has the versions 1 and 2, of which 1 serves, and `candidate` is 2; it is loaded when it is asked for."""

    def __init__(self) -> None:
        self._models: dict[str, TensorModel] = {model.name: model for model in map(Echo, DATATYPES)}
        self._models["slow"] = Slow()
        self._loaded: dict[str, TensorModel] = {}

    async def names(self) -> Sequence[str]:
        return [*self._models, "linear"]

    async def versions(self, name: str) -> Sequence[str]:
        if name not in await self.names():
            raise NotFound(f"there is no {name!r}")
        return ["1", "2"] if name == "linear" else ["1"]

    async def find(self, name: str, version: str | None = None) -> TensorModel:
        if name != "linear":
            if name not in self._models:
                raise NotFound(f"there is no {name!r}")
            return self._models[name]
        number = {None: "1", "candidate": "2", "1": "1", "2": "2"}.get(version)
        if number is None:
            raise NotFound(f"linear has no version {version!r}; there are 1 and 2")
        return self._loaded.setdefault(number, Linear(number))

    def known(self, name: str) -> TensorModel | None:
        return self._models.get(name) or (self._loaded.get("1") if name == "linear" else None)


plugin = Plugin(title="Tensors", tensors=Models())
