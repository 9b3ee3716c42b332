"""From a folder or the hub to the files that are served: read, check, quantise, compare."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from common.errors import Invalid, NotFound
from common.plugins.pull import ModelPull, PulledModel
from common.version import VERSION
from models._text.bert import fused
from models.sentiment.classifier import CARD, MODEL, VOCABULARY
from models.sentiment.pull.folder import WEIGHTS, Checkpoint, read_folder
from models.sentiment.pull.hashes import SUMS, check_hashes, read_sums, sha256
from models.sentiment.pull.hub import ADDRESS, WANTED, Hub, is_hub_id
from models.sentiment.pull.quantise import LEVELS, Distance, Original, served_graph, served_logits
from models.sentiment.pull.sample import OWN, Sample, read_sample
from models.sentiment.wordpiece import BertTokenizer

DEFAULT = "winegarj/distilbert-base-uncased-finetuned-sst2"
BY_RANGE, BY_TOKEN = "range", "token"


def pull(asked: ModelPull) -> PulledModel:
    """Make a version from a DistilBERT or BERT classifier.

    Raises
    ------
    Invalid
        A file is missing, damaged or of another kind of model, or eight bits are too far from the original.
    NotFound, DependencyFailed
        The hub has no such model, or does not answer.
    """
    if asked.weight_bits not in LEVELS:
        raise Invalid(f"weights of {asked.weight_bits} bits; give 7 or 8")
    _require_onnx()
    sample = read_sample(asked.sample or OWN)
    folder, source = _found(asked)
    checked = check_hashes(folder, asked.sha256, "--sha256")
    sums = {name: digest for name, digest in read_sums(folder).items() if name in WANTED}
    checked += check_hashes(folder, sums, SUMS)
    checkpoint = read_folder(folder)
    files = {name: sha256(folder / name) for name in WANTED if (folder / name).is_file()}
    content, how, distance = _quantised(asked, checkpoint, sample)
    layout = checkpoint.layout
    all_checked = sorted({*checked, *source.pop("checked", ())})
    card = {
        "title": f"{source['id']}, {asked.weight_bits}-bit weights",
        "architecture": layout.architecture,
        "sizes": {
            name: getattr(layout, name) for name in ("pieces", "hidden", "inner", "heads", "layers", "positions")
        },
        "tokenizer": {"kind": "bert", **checkpoint.vocabulary.normalisation.as_json()},
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "weight_bits": asked.weight_bits,
        "inputs_by": how,
        "source": {**source, "files": files, "checked": all_checked},
        "compared": {"sample": asked.sample.name if asked.sample else "shipped", **distance.as_json()},
        "atoll": VERSION,
    }
    vocabulary = "".join(f"{piece}\n" for piece in checkpoint.vocabulary.pieces)
    artefacts = {
        MODEL: content,
        VOCABULARY: vocabulary.encode(),
        CARD: orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
    }
    told = {
        "from": source["id"],
        **({"commit": source["commit"]} if "commit" in source else {}),
        "architecture": layout.architecture,
        "hashes checked": all_checked or "none given",
        "tokenizer": _normalisation(checkpoint),
        "quantised": f"{asked.weight_bits}-bit weights by column, inputs by {how}",
        "texts compared": distance.texts,
        "accuracy, original": distance.original_accuracy,
        "accuracy": distance.accuracy,
        "scores apart, most": distance.most_apart,
        "scores apart, mean": distance.mean_apart,
        "size_bytes": sum(map(len, artefacts.values())),
    }
    return PulledModel(artefacts, distance.as_json(), files[WEIGHTS], told)


def _found(asked: ModelPull) -> tuple[Path, dict[str, Any]]:
    """The folder with the files, and what the card says of where they are from."""
    given = asked.source or DEFAULT
    folder = Path(given).expanduser()
    if folder.is_dir():
        if asked.revision is not None:
            raise Invalid("--revision is of the hub; a folder has none")
        return folder, {"id": folder.resolve().name}
    if not is_hub_id(given):
        raise Invalid(f"{given[:200]} is neither a folder nor an id of the hub like {DEFAULT}")
    hub = Hub(asked.cache, asked.address, asked.report)
    try:
        fetched = hub.fetch(given, asked.revision)
    except NotFound as exc:
        raise NotFound(f"{exc.detail} (there is no folder {given} here)") from None
    finally:
        hub.close()
    return fetched.folder, {
        "id": given,
        "hub": asked.address or ADDRESS,
        "commit": fetched.commit,
        "checked": list(fetched.files),
    }


def _quantised(asked: ModelPull, checkpoint: Checkpoint, sample: Sample) -> tuple[bytes, str, Distance]:
    """The graph to serve, how its inputs are scaled, and its distance from the original."""
    layout, weights = checkpoint.layout, fused(checkpoint.layout, checkpoint.weights)
    tokenizer = BertTokenizer(checkpoint.vocabulary.pieces, layout.positions, checkpoint.vocabulary.normalisation)
    texts, labels = sample.compared
    numbers = [tokenizer.encode(text) for text in texts]
    original = Original(layout, weights)
    ranges = original.ranges(
        [tokenizer.encode(text) for text in sample.measured], partial(asked.report, "measuring the original")
    )
    exact = original.logits(numbers, partial(asked.report, "answers of the original"))
    del original
    tried = []
    for how, chosen in ((BY_RANGE, ranges), (BY_TOKEN, None)):
        content = served_graph(layout, weights, chosen, asked.weight_bits)
        found = served_logits(content, numbers, partial(asked.report, f"answers in eight bits, by {how}"))
        distance = Distance.between(exact, found, labels)
        if distance.is_within(asked.most_apart, asked.most_apart_mean):
            return content, how, distance
        tried.append(
            f"inputs by {how}: scores apart {distance.most_apart:.4f} at most, {distance.mean_apart:.4f} on average, "
            f"accuracy {distance.accuracy:.4f} instead of {distance.original_accuracy:.4f}"
        )
    raise Invalid(
        f"{WEIGHTS}: in eight bits it is too far from the original ({'; '.join(tried)}). Allowed are "
        f"{asked.most_apart:g} at most and {asked.most_apart_mean:g} on average; --max-difference and "
        "--mean-difference change that, and --bits 8 is nearer, for processors with VNNI"
    )


def _normalisation(checkpoint: Checkpoint) -> str:
    found = checkpoint.vocabulary.normalisation
    said: Mapping[str, bool] = found.as_json()
    return f"WordPiece, {', '.join(name for name, value in said.items() if value) or 'texts as they are'}"


def _require_onnx() -> None:
    import importlib.util

    missing = [name for name in ("onnx", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise Invalid(f"{' and '.join(missing)} not installed; `pip install '.[pull]'` brings what a pull needs")
