"""A folder as Hugging Face keeps a classifier: `config.json`, a vocabulary, `model.safetensors`. Nothing of it is run.

Whatever does not fit is refused with the name of the file and what is wrong with it: a model that is read wrongly
would answer, and nobody would notice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import orjson
from numpy.typing import NDArray

from common.errors import Invalid
from models._text.layout import Activation, Architecture, Layout
from models.sentiment.pull.vocabulary import Vocabulary, read_vocabulary

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# Formats that run code when they are read, or that nobody here reads.
_REFUSED = ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "model.safetensors.index.json")
_ACTIVATIONS: Mapping[str, Activation] = {"gelu": "Gelu", "relu": "Relu"}
# Larger ones are no DistilBERT or BERT, and would take a machine's memory.
_MOST = {"vocab_size": 250_000, "hidden": 1024, "inner": 4096, "heads": 64, "layers": 24, "positions": 512}
_LABELS = {"negative": 0, "neg": 0, "label_0": 0, "positive": 1, "pos": 1, "label_1": 1}
# What a checkpoint may hold beside its weights: places, which are numbered anyway.
_IDLE = "position_ids"


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds.

    Attributes
    ----------
    weights : float32, under the names of `Layout.tensors`; row 1 of the head is POSITIVE.
    """

    layout: Layout
    vocabulary: Vocabulary
    weights: Mapping[str, NDArray[np.float32]]


def refused(file: str, reason: str) -> Invalid:
    """What to raise for a file."""
    return Invalid(f"{file}: {reason}")


def read_folder(folder: Path) -> Checkpoint:
    """Read and check a folder.

    Raises
    ------
    Invalid
        A file is missing, truncated, or of another kind of model; the detail begins with its name.
    """
    if not folder.is_dir():
        raise Invalid(f"{folder} is no folder; give one with {CONFIG}, {WEIGHTS} and vocab.txt, or an id of the hub")
    config = read_json(folder, CONFIG)
    layout = _layout(config)
    vocabulary = read_vocabulary(folder, layout)
    swapped = _is_swapped(config)
    weights = _weights(folder, layout)
    # Rows that no piece has are never asked for.
    weights["token"] = weights["token"][: len(vocabulary.pieces)]
    if swapped:
        weights |= {name: weights[name][::-1].copy() for name in ("head.weight", "head.bias")}
    return Checkpoint(replace(layout, pieces=len(vocabulary.pieces)), vocabulary, weights)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object in a file. Raises Invalid."""
    try:
        found = orjson.loads((folder / name).read_bytes())
    except FileNotFoundError:
        raise refused(name, f"missing in {folder.name}; save the model with `save_pretrained`, tokenizer too") from None
    except (OSError, ValueError) as exc:
        raise refused(name, f"cannot be read as JSON ({exc}); fetch it again") from None
    if not isinstance(found, dict):
        raise refused(name, "holds no JSON object")
    return found


def _layout(config: Mapping[str, Any]) -> Layout:
    named = config.get("architectures")
    if not isinstance(named, list) or len(named) != 1 or named[0] not in get_args(Architecture):
        known = " or ".join(get_args(Architecture))
        raise refused(CONFIG, f"`architectures` is {_shown(named)}; give a {known}")
    distilled = named[0] == "DistilBertForSequenceClassification"
    keys = {"hidden": "dim", "inner": "hidden_dim", "heads": "n_heads", "layers": "n_layers"}
    if not distilled:
        keys = {
            "hidden": "hidden_size",
            "inner": "intermediate_size",
            "heads": "num_attention_heads",
            "layers": "num_hidden_layers",
        }
    keys |= {"positions": "max_position_embeddings", "vocab_size": "vocab_size"}
    sizes = {ours: _size(config, theirs, _MOST[ours]) for ours, theirs in keys.items()}
    if sizes["hidden"] % sizes["heads"]:
        raise refused(CONFIG, f"{sizes['heads']} heads do not divide {sizes['hidden']} numbers")
    acts = config.get("activation" if distilled else "hidden_act", "gelu")
    if not isinstance(acts, str) or acts not in _ACTIVATIONS:
        raise refused(CONFIG, f"the activation is {_shown(acts)}; only {' and '.join(_ACTIVATIONS)} are known here")
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise refused(CONFIG, "relative positions or a decoder; give an encoder with absolute positions")
    pieces = sizes.pop("vocab_size")
    epsilon = config.get("layer_norm_eps", 1e-12)
    if distilled or not isinstance(epsilon, int | float) or not 0 < epsilon < 0.1:
        epsilon = 1e-12
    segments = 0 if distilled else _size(config, "type_vocab_size", 16, default=2)
    return Layout(
        cast("Architecture", named[0]),
        pieces=pieces,
        activation=_ACTIVATIONS[acts],
        epsilon=float(epsilon),
        segments=segments,
        **sizes,
    )


def _size(config: Mapping[str, Any], key: str, most: int, default: int | None = None) -> int:
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise refused(CONFIG, f"`{key}` is {_shown(value)}; it has to be a number from 1 to {most}")
    return value


def _is_swapped(config: Mapping[str, Any]) -> bool:
    """Whether the first class is POSITIVE."""
    # Without names the library calls the two classes LABEL_0 and LABEL_1.
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    told = _shown(names)
    if not isinstance(names, dict) or set(names) != {"0", "1"}:
        raise refused(CONFIG, f"`id2label` is {told}; give a model of two classes, negative and positive")
    places = [_LABELS.get(str(names[key]).strip().lower()) for key in ("0", "1")]
    if sorted(place for place in places if place is not None) != [0, 1]:
        raise refused(CONFIG, f"`id2label` is {told}; name the classes NEGATIVE and POSITIVE (or LABEL_0, LABEL_1)")
    return places[0] == 1


def _weights(folder: Path, layout: Layout) -> dict[str, NDArray[np.float32]]:
    file = folder / WEIGHTS
    if not file.is_file():
        for name in _REFUSED:
            if (folder / name).exists():
                raise refused(name, _INSTEAD)
        raise refused(WEIGHTS, f"missing in {folder.name}; fetch or copy the whole folder")
    try:
        from safetensors import safe_open
    except ImportError:
        raise Invalid("safetensors is not installed: `pip install '.[train]'`, or safetensors and onnx alone") from None
    try:
        with safe_open(file, framework="numpy") as held:
            present = set(held.keys())
            names = {theirs: (ours, shape) for ours, theirs, shape in layout.tensors()}
            renamed = {_current(name): name for name in present}
            _check_names(set(names), set(renamed), layout)
            return {
                ours: _checked(renamed[theirs], held.get_tensor(renamed[theirs]), shape)
                for theirs, (ours, shape) in names.items()
            }
    except Invalid:
        raise
    except Exception as exc:  # noqa: BLE001 - the library's errors have no class in common with NumPy's
        raise refused(WEIGHTS, f"cannot be read ({type(exc).__name__}: {str(exc)[:150]}); fetch it again") from None


def _current(name: str) -> str:
    """Old checkpoints call the parts of a normalisation otherwise."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _check_names(wanted: set[str], present: set[str], layout: Layout) -> None:
    missing = sorted(wanted - present)
    if missing:
        told = f"{', '.join(missing[:3])}{' and others' if len(missing) > 3 else ''}"
        raise refused(WEIGHTS, f"has no {told}, which a {layout.architecture} has; fetch it again")
    foreign = sorted(name for name in present - wanted if not name.endswith(_IDLE))
    if foreign:
        told = f"{', '.join(foreign[:3])}{' and others' if len(foreign) > 3 else ''}"
        raise refused(WEIGHTS, f"has {told}, which a {layout.architecture} of {CONFIG} has not; they do not fit")


def _checked(name: str, found: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if found.shape != shape:
        raise refused(WEIGHTS, f"{name} is {found.shape}; {CONFIG} says {shape}")
    if found.dtype.kind != "f":
        raise refused(WEIGHTS, f"{name} is of {found.dtype}; save the model in 32 or 16 bits floating point")
    if not np.isfinite(found).all():
        raise refused(WEIGHTS, f"{name} holds numbers that are not finite")
    return found.astype(np.float32)


def _shown(value: object) -> str:
    return repr(value)[:120]


_INSTEAD = (
    "not read, since this format can run code or is not known here; give model.safetensors: on a machine that you "
    "trust, load the model with transformers and `save_pretrained` it anew, or pull a revision of the hub that has it "
    "(often --revision refs/pr/1)"
)
