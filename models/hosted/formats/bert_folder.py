"""BERT and DistilBERT from `model.safetensors`, as an ONNX graph in 32 bits."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from common.errors import Invalid
from models.hosted.formats.needs import needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models._text.layout import Layout

_MOST = {"hidden": 4096, "inner": 16384, "heads": 64, "layers": 48, "positions": 8192, "pieces": 1_000_000}
_KEYS = {
    "hidden": ("dim", "hidden_size"),
    "inner": ("hidden_dim", "intermediate_size"),
    "heads": ("n_heads", "num_attention_heads"),
    "layers": ("n_layers", "num_hidden_layers"),
    "positions": ("max_position_embeddings",) * 2,
    "pieces": ("vocab_size",) * 2,
}
_ACTIVATIONS = {"gelu": "Gelu", "relu": "Relu"}
_EXPORT = "export it beside the weights (`optimum-cli export onnx --task text-classification`) and pack model.onnx too"


def built(config: Mapping[str, Any], weights: Path | None, classes: int, folder: Path) -> Path:
    """Write the graph, and name its file.

    Raises
    ------
    Invalid
        It is another architecture, the file is missing or damaged, or does not fit `config.json`.
    """
    if weights is None:
        raise Invalid(
            "the archive has neither model.safetensors nor an .onnx file; a pytorch_model.bin is a pickle and is not "
            "opened: save the model anew by `save_pretrained`"
        )
    needed("onnx", "What writes ONNX graphs (onnx)")
    from models._text.bert import build_plain, fused

    layout = _layout(config, classes)
    graph = build_plain(layout, fused(layout, _weights(weights, layout)))
    target = folder / "built.onnx"
    target.write_bytes(graph.SerializeToString())
    return target


def _layout(config: Mapping[str, Any], classes: int) -> "Layout":
    from models._text.layout import Architecture, Layout

    named = config["architectures"][0]
    if named not in get_args(Architecture):
        raise Invalid(f"{str(named)[:80]} is served from ONNX only; {_EXPORT}")
    distilled = named == "DistilBertForSequenceClassification"
    sizes = {ours: _size(config, theirs[0 if distilled else 1], _MOST[ours]) for ours, theirs in _KEYS.items()}
    if sizes["hidden"] % sizes["heads"]:
        raise Invalid(f"config.json: {sizes['heads']} heads do not divide {sizes['hidden']} numbers")
    activation = _ACTIVATIONS.get(str(config.get("activation" if distilled else "hidden_act", "gelu")))
    if activation is None or config.get("position_embedding_type", "absolute") != "absolute":
        raise Invalid(f"config.json: an activation or a kind of positions that is not known here; {_EXPORT}")
    epsilon = config.get("layer_norm_eps", 1e-12)
    return Layout(
        named,
        activation=activation,  # type: ignore[arg-type]  # one of the two above
        epsilon=1e-12 if distilled or not isinstance(epsilon, float) else epsilon,
        segments=0 if distilled else _size(config, "type_vocab_size", 16),
        classes=classes,
        **sizes,
    )


def _size(config: Mapping[str, Any], key: str, most: int) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise Invalid(f"config.json: `{key}` is {str(value)[:80]}; it has to be a number from 1 to {most}")
    return value


def _weights(path: Path, layout: "Layout") -> "dict[str, NDArray[np.float32]]":
    safetensors = needed("safetensors", "What reads weights (safetensors)")
    try:
        with safetensors.safe_open(path, framework="numpy") as held:
            present = {_current(name): name for name in held.keys()}  # noqa: SIM118 - it is no mapping
            found = {}
            for ours, theirs, shape in layout.tensors():
                if theirs not in present:
                    raise Invalid(f"model.safetensors has no {theirs}, which a {layout.architecture} has")
                array = held.get_tensor(present[theirs])
                if array.shape != shape or array.dtype.kind != "f":
                    raise Invalid(
                        f"model.safetensors: {theirs} is {array.dtype} {array.shape}; config.json says {shape}"
                    )
                found[ours] = array.astype(np.float32)
            return found
    except Invalid:
        raise
    except Exception as exc:  # noqa: BLE001 - the library's errors have no class in common with NumPy's
        raise Invalid(
            f"model.safetensors cannot be read ({type(exc).__name__}: {str(exc)[:150]}); send it again"
        ) from None


def _current(name: str) -> str:
    """Old checkpoints call the parts of a normalisation otherwise."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
