"""What is asked of hosted models and what is answered about them; and how they are named."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from common.errors import Invalid
from common.plugins import BaseDefinition, param
from common.registry.versions import ALIAS_PATTERN, MAX_DESCRIPTION_CHARS, MAX_NUMBER, Version
from models.hosted.formats.card import Card

TAG_PATTERN = r"^[0-9a-z-]{1,63}$"
# A tag, and after a colon the number of a version or an alias.
REF_PATTERN = r"^[0-9a-z-]{1,63}(:([1-9][0-9]{0,9}|[a-z][a-z0-9-]{0,62}))?$"
PREFIX = "hosted."
# Tag of a version in the registry that keeps the name its file had at home.
FILE_TAG = "file"

_MAX_METRICS = 100
_METRIC_CHARS = 100
_TAG = re.compile(r"[0-9a-z-]{1,63}")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_ALIAS = re.compile(ALIAS_PATTERN.strip("^$"))

Tag = Annotated[str, Path(pattern=TAG_PATTERN, description="Digits, lower-case letters and `-`; at most 63.")]
Ref = Annotated[str, Path(pattern=REF_PATTERN, description="`tag`, `tag:alias` or `tag:number`.")]


@dataclass(frozen=True)
class Reference:
    """Which version of which tag; `which` is None where only the tag is named."""

    tag: str
    which: int | str | None = None

    @property
    def model(self) -> str:
        """The name in the registry."""
        return PREFIX + self.tag


def split_ref(ref: str) -> Reference:
    """`tag`, `tag:alias` or `tag:number`.

    Raises
    ------
    Invalid
    """
    tag, colon, which = ref.partition(":")
    if not _TAG.fullmatch(tag):
        raise Invalid.field("ref", "a tag has digits, lower-case letters and `-`, at most 63", ref, where="path")
    if not colon:
        return Reference(tag)
    if _NUMBER.fullmatch(which) and int(which) <= MAX_NUMBER:
        return Reference(tag, int(which))
    if not _ALIAS.fullmatch(which):
        raise Invalid.field("ref", "after the colon comes an alias or the number of a version", ref, where="path")
    return Reference(tag, which)


class TensorInfo(BaseModel):
    """An input or output."""

    name: str
    type: str = Field(
        description="As the Open Inference Protocol names it: `FP32`, `INT64`, `BYTES`, …", examples=["FP32"]
    )
    shape: list[int] = Field(description="-1 where any length will do; the first is the batch.", examples=[[-1, 4]])


class HostedVersion(BaseModel):
    """A version of a hosted model."""

    version: int
    file: str = Field(description="The name that its file had.")
    format: str = Field(description="What its file is.", examples=["onnx"])
    description: str
    library: str | None
    library_version: str | None
    size_bytes: int
    sha256: str = Field(description="Of the file that was uploaded, in hex.")
    created_at: datetime
    author: str = Field(description="Who uploaded it.")
    metrics: dict[str, Any] = Field(description="What whoever uploaded it measured, e.g. `accuracy`.")
    aliases: list[str] = Field(description="Aliases that point to it.")
    memory_bytes: int = Field(description="By how much the process that checked it grew.")
    run_s: float = Field(description="Seconds that a run of one row took when it was checked.")
    is_open: bool = Field(description="Whether it is open in the process that answers this.")


class HostedModel(BaseModel):
    """A tag and its versions."""

    tag: str
    description: str
    default_version: int | None = Field(description="The version that answers where none is named.")
    aliases: dict[str, int]
    weights: dict[str, float] | None = Field(
        description="Share of the requests by alias; null where `default` has all."
    )
    versions: list[int] = Field(description="Numbers, newest first; the first hundred.")


class Information(HostedVersion):
    """All about a version."""

    tag: str
    producer: str = Field(description="What wrote the file.")
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    labels: list[str] = Field(description="Names of the classes in the order of an output's columns, where known.")
    notes: list[str] = Field(description="What whoever uses it should know.")
    default_version: int | None
    versions: list[HostedVersion] = Field(description="All of the tag, newest first; the first hundred.")


class Uploaded(BaseModel):
    """A version that was accepted."""

    tag: str
    version: int
    ref: str = Field(description="What names it from now on.", examples=["iris:1"])
    format: str
    library: str | None
    library_version: str | None
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    size_bytes: int
    sha256: str = Field(description="Of the file that was sent, in hex.")
    aliases: list[str] = Field(description="Aliases that point to it: `default` for the first version of a tag.")
    notes: list[str]


class Change(BaseModel):
    """What shall be changed."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(
        max_length=MAX_DESCRIPTION_CHARS, description="Of the tag; of a version where the reference names one."
    )


class DefaultTarget(BaseModel):
    """Which version shall answer where none is named."""

    model_config = ConfigDict(extra="forbid")

    default: int = Field(ge=1, le=MAX_NUMBER, strict=True, description="Number of the version.", examples=[2])


class DefaultChange(BaseModel):
    """Which version answers where none is named."""

    tag: str
    default: int
    previous: int | None


class Values(BaseDefinition):
    """Numbers, or texts, for the inputs of a model."""

    values: list[Any] | dict[str, Any] = param(
        title="Values",
        description="One observation (`[5.1, 3.5, 1.4, 0.2]`), a list of them, or where the model has several inputs "
        "an object with such a list for each.",
        example=[5.1, 3.5, 1.4, 0.2],
    )


class Predicted(BaseModel):
    """What a model answered."""

    tag: str
    version: int
    values: Any = Field(description="The first output: an item for each observation.", examples=[[0]])
    outputs: dict[str, Any] = Field(description="All outputs, by name.")


class NewUpload(BaseModel):
    """An upload that will come in parts."""

    model_config = ConfigDict(extra="forbid")

    tag: str = Field(pattern=TAG_PATTERN, examples=["iris"])
    filename: str = Field(min_length=1, max_length=200, examples=["iris.onnx"])
    size_bytes: int = Field(ge=1, strict=True, description="Of the whole file.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the whole file, in lower-case hex.")
    library_version: str | None = Field(None, max_length=100)
    model_description: str | None = Field(None, max_length=MAX_DESCRIPTION_CHARS)
    alias: str | None = Field(None, pattern=ALIAS_PATTERN, description="Also point this alias to the new version.")
    metrics: dict[str, Annotated[float, Field(strict=True, allow_inf_nan=False)]] = Field(
        default_factory=dict, max_length=100, description="What was measured.", examples=[{"accuracy": 0.97}]
    )


class Upload(BaseModel):
    """An upload in parts, and how far it is."""

    id: str
    tag: str
    filename: str
    size_bytes: int
    part_bytes: int = Field(description="Size of each part; the last one has what is left.")
    parts: int = Field(description="How many there are; the first is number 1.")
    received: list[int] = Field(description="Numbers of the parts that are here.")
    version: int | None = Field(None, description="The version that was made of it, once it was completed.")


def read_metrics(text: str | None) -> dict[str, float]:
    """Measures of a model as a JSON object, as forms and queries carry them.

    Raises
    ------
    Invalid
    """
    if not text:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    is_measure = isinstance(found, dict) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in found.values()
    )
    if not is_measure or len(found) > _MAX_METRICS:
        told = f'a JSON object of at most {_MAX_METRICS} numbers by name, such as {{"accuracy": 0.97}}'
        raise Invalid.field("metrics", told, text)
    return {str(name)[:_METRIC_CHARS]: float(value) for name, value in found.items()}


def tensors(signature: Mapping[str, Any] | None, which: str) -> list[TensorInfo]:
    """The inputs or outputs of a version."""
    return [
        TensorInfo(name=item["name"], type=item["datatype"], shape=list(item["shape"]))
        for item in (signature or {}).get(which, ())
    ]


def described(version: Version, card: Card, aliases: Mapping[str, int], open_refs: Container[str]) -> HostedVersion:
    """A version of the registry as it is told; `open_refs` are those that are open."""
    found = next((item for item in version.artefacts if item.name == card.original), None)
    return HostedVersion(
        version=version.number,
        file=version.tags.get(FILE_TAG, card.original),
        format=card.format,
        description=version.description,
        library=version.library,
        library_version=version.library_version,
        size_bytes=found.size_bytes if found else 0,
        sha256=found.sha256 if found else "",
        created_at=version.created_at,
        author=version.author,
        metrics=version.metrics,
        aliases=sorted(alias for alias, number in aliases.items() if number == version.number),
        memory_bytes=card.memory_bytes,
        run_s=card.run_s,
        is_open=version.ref in open_refs,
    )
