"""What the registry tells: versions, their artefacts, aliases; and the names that ask for them."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from common.errors import Invalid, NotFound
from common.storage.blobs import BlobRef

ALIAS_PATTERN = r"^[a-z][a-z0-9-]{0,62}$"
DEFAULT_ALIAS = "default"
MAX_NUMBER = 2**31 - 1
MAX_DESCRIPTION_CHARS = 10_000
MAX_TAGS = 50
MAX_TAG_CHARS = 1000

_MODEL = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,127}")
_ARTEFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_SHOWN = 20


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Artefact(_Told):
    """Bytes of a version."""

    name: str = Field(examples=["model.onnx"])
    sha256: str = Field(description="Of its content, in hex.")
    size_bytes: int

    @property
    def ref(self) -> BlobRef:
        return BlobRef(self.sha256, self.size_bytes)


class Version(_Told):
    """A version of a model; only its description and its tags ever change."""

    model: str
    number: int = Field(description="From 1 on; that of a deleted version is not given again.")
    artefacts: tuple[Artefact, ...]
    metrics: dict[str, Any] = Field(description="What its training measured.")
    job_id: str | None = Field(description="The job that made it.")
    data_hash: str | None = Field(description="Of the data that it was trained on.")
    author: str = Field(description="Who asked for it.")
    code_version: str = Field(description="Version of the code that made it.")
    created_at: datetime
    signature: dict[str, Any] | None = Field(
        None,
        description="Inputs and outputs, each with `name`, `datatype` and `shape` as in the Open Inference Protocol.",
        examples=[{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], "outputs": []}],
    )
    description: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    library: str | None = Field(None, description="What made its files.", examples=["scikit-learn"])
    library_version: str | None = None

    @property
    def ref(self) -> str:
        """`model:number`, which means this version wherever a name is asked for."""
        return f"{self.model}:{self.number}"

    def artefact(self, name: str) -> Artefact:
        """
        Raises
        ------
        NotFound
            It has none of that name; the detail names those it has.
        """
        for artefact in self.artefacts:
            if artefact.name == name:
                return artefact
        has = listed(artefact.name for artefact in self.artefacts)
        raise NotFound(f"version {self.number} of {self.model} has no artefact {name[:80]!r}; it has {has}")


class Traffic(_Told):
    """Which aliases answer the requests that name neither version nor alias."""

    weights: dict[str, float] = Field(
        description="Share of the requests by alias; together 1.", examples=[{"default": 0.9, "candidate": 0.1}]
    )
    shadow: str | None = Field(None, description="Alias that is asked too; its answers are only compared and counted.")
    shadow_share: float = Field(1.0, gt=0, le=1, description="Share of the requests that the shadow is asked.")


class ModelEntry(_Told):
    """A model that has versions."""

    model: str
    latest: int = Field(description="The highest number.")
    count: int = Field(description="How many versions there are.")
    aliases: dict[str, int] = Field(description="Number by alias; `default` is what serves.")
    description: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    traffic: Traffic | None = Field(None, description="Who gets which version; null where `default` answers all.")


class AliasChange(_Told):
    """Where an alias points."""

    model: str
    alias: str
    version: int
    previous: int | None = Field(description="The number it had before; the same one if nothing changed.")


class Promotion(AliasChange):
    """A version that took another one's place."""

    metric: str
    figure: float = Field(description="The version's.")
    previous_figure: float | None = Field(description="Of the version that it replaces; null where there was none.")
    traffic: Traffic | None = Field(description="Who gets which version now; null where `default` answers all.")


def split_name(name: str) -> tuple[str, str | int]:
    """`model`, `model:alias` or `model:number` as model and alias or number; `model` alone means `default`.

    Raises
    ------
    Invalid
    """
    model, colon, which = name.partition(":")
    check_model(model)
    if not colon:
        return model, DEFAULT_ALIAS
    if _NUMBER.fullmatch(which) and int(which) <= MAX_NUMBER:
        return model, int(which)
    check_alias(which)
    return model, which


def is_model(name: str) -> bool:
    return _MODEL.fullmatch(name) is not None


def check_model(model: str) -> None:
    if not is_model(model):
        raise Invalid(f"{model[:80]!r} is no name of a model; letters, digits, `.`, `_`, `-`, at most 128")


def check_alias(alias: str) -> None:
    if not re.fullmatch(ALIAS_PATTERN.strip("^$"), alias):
        raise Invalid(f"{alias[:80]!r} is no alias; a lower-case letter, then letters, digits and `-`, at most 63")


def is_artefact(name: str) -> bool:
    return _ARTEFACT.fullmatch(name) is not None


def check_artefact(name: str) -> None:
    if not is_artefact(name):
        raise Invalid(f"{name[:80]!r} is no name of an artefact; letters, digits, `.`, `_`, `-`, at most 128")


def check_description(description: str) -> str:
    """The description as any database keeps it."""
    if len(description) > MAX_DESCRIPTION_CHARS:
        raise Invalid.field("description", f"at most {MAX_DESCRIPTION_CHARS} characters", description)
    return description.replace("\0", "").encode("utf-8", "replace").decode()


def check_tags(tags: Mapping[str, str] | Iterable[str]) -> dict[str, str]:
    """Tags as a mapping; a list of names gives each an empty value.

    Raises
    ------
    Invalid
        Too many, too long, or no plain names.
    """
    found = dict(tags) if isinstance(tags, Mapping) else dict.fromkeys(tags, "")
    if len(found) > MAX_TAGS:
        raise Invalid.field("tags", f"at most {MAX_TAGS} tags", len(found))
    for name, value in found.items():
        if not isinstance(name, str) or not _TAG.fullmatch(name):
            raise Invalid.field("tags", "a name has letters, digits, `.`, `_`, `-`, `/`, `:`, at most 128", name)
        if not isinstance(value, str) or len(value) > MAX_TAG_CHARS or "\0" in value:
            raise Invalid.field("tags", f"the value of {name} is no text of at most {MAX_TAG_CHARS} characters", value)
    return found


def finite(value: Any) -> Any:
    """The same JSON value with null for NaN and infinities, which JSON does not have and PostgreSQL refuses."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def listed(names: Iterable[object]) -> str:
    """Names for the detail of an error: the first few, or `none`."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more if shown else "none"
