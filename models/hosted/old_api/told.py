"""What the old interface tells of models. Pure."""

from collections.abc import Sequence
from typing import Any

from models.hosted.definitions import HostedVersion, Information, TensorInfo

_NUMPY = {
    "BOOL": "bool", "FP16": "float16", "BF16": "bfloat16", "FP32": "float32", "FP64": "float64", "BYTES": "string",
}  # fmt: skip


def version_entries(versions: Sequence[HostedVersion]) -> dict[str, dict[str, Any]]:
    """`tag_list_versions`: what is known of each version, by its number as a text."""
    return {
        str(version.version): {
            "file": version.file,
            "description": version.description,
            "time": version.created_at.strftime("%H:%M:%S %d/%m/%Y"),
            "ml_library": f"{version.library or ''}=={version.library_version or ''}".strip("="),
        }
        for version in sorted(versions, key=lambda item: item.version)
    }


def information_of(found: Information) -> dict[str, Any]:
    return {
        "tag_list_versions": version_entries(found.versions),
        "default_version": found.default_version,
        "description": found.description,
        "model_type": found.format,
        "inputs_type": inputs_type(found.inputs),
        "num_inputs": num_inputs(found.inputs),
        "inputs": [item.model_dump() for item in found.inputs],
        "outputs": [item.model_dump() for item in found.outputs],
    }


def inputs_type(inputs: Sequence[TensorInfo]) -> str:
    """As NumPy names it; several, one after the other, where the inputs differ."""
    names = [_NUMPY.get(item.type, item.type.lower()) for item in inputs]
    return ", ".join(dict.fromkeys(names))


def num_inputs(inputs: Sequence[TensorInfo]) -> int | None:
    """How many numbers an observation has; None where any number will do."""
    sizes = [size for item in inputs for size in item.shape[1:]]
    if any(size < 0 for size in sizes):
        return None
    total = 0
    for item in inputs:
        count = 1
        for size in item.shape[1:]:
            count *= size
        total += count
    return total


def list_entry(found: Information) -> dict[str, Any]:
    return {
        "model": found.file,
        "tag": found.tag,
        "description": found.description,
        "default_version": found.default_version,
        "model_type": found.format,
    }
