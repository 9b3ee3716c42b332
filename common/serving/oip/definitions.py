"""The protocol's objects as `/openapi.json` tells them. Bodies of tensors are never read into these."""

from typing import Any, Literal

from pydantic import BaseModel, Field

Named = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BF16",
    "BYTES",
]
Parameters = dict[str, str | float | bool]


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str] = Field(description="Parts of the protocol that not every server has.")


class TensorMetadata(BaseModel):
    """An input or output."""

    name: str
    datatype: Named
    shape: list[int] = Field(description="-1 where any length will do.")
    parameters: Parameters | None = Field(None, description="`optional`: it may be left out.")


class ModelMetadata(BaseModel):
    name: str
    versions: list[str] | None = Field(None, description="Those that can be asked for, where there are any.")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelNames(BaseModel):
    models: list[str]


class IndexEntry(BaseModel):
    """A model as Triton's clients list it."""

    name: str
    version: str = Field(description="That serves; empty where it has none, or is not loaded.")
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


class Live(BaseModel):
    live: Literal[True] = True


class Ready(BaseModel):
    ready: Literal[True] = True


class ModelReady(BaseModel):
    name: str
    ready: Literal[True] = True


class InputTensor(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    shape: list[int] = Field(max_length=64, description="Whole numbers from 0.")
    datatype: Named
    parameters: dict[str, Any] | None = Field(None, description="`binary_data_size`: bytes after the JSON.")
    data: list[Any] | None = Field(None, description="Elements, flat or nested as the shape is.")


class WantedOutput(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    parameters: dict[str, Any] | None = Field(None, description="`binary_data`: as binary data.")


class InferBody(BaseModel):
    """Tensors for a model."""

    id: str | None = Field(None, description="Stands in the answer again.")
    parameters: dict[str, Any] | None = Field(None, description="`binary_data_output`: all outputs as binary data.")
    inputs: list[InputTensor] = Field(min_length=1)
    outputs: list[WantedOutput] | None = Field(None, description="Those that are wanted; all if left out.")


class OutputTensor(BaseModel):
    name: str
    datatype: Named
    shape: list[int]
    parameters: dict[str, int] | None = Field(None, description="`binary_data_size`: bytes after the JSON.")
    data: list[Any] | None = Field(None, description="Elements, flat; null for NaN and infinity.")


class InferAnswer(BaseModel):
    """Tensors from a model."""

    model_name: str
    model_version: str | None = None
    id: str | None = None
    outputs: list[OutputTensor]
