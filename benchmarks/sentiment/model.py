"""The model that is measured: a DistilBERT of full size with random weights, and texts of a given number of tokens.

What a text costs does not depend on what the weights are, so nothing has to be fetched. The vocabulary is the real one,
so that texts have the number of tokens that they would have.
"""

import gzip
import json
import random
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.report import NotMeasured
from benchmarks.server import REPOSITORY
from models._text.layout import Layout

DATA = REPOSITORY.parent / "shared" / "data" / "sst2"
_PIECES, _SEED = 30_522, 7
# What transformers' DistilBertConfig() has by default, written as it writes it.
_CONFIG = {
    "architectures": ["DistilBertForSequenceClassification"],
    "model_type": "distilbert",
    "activation": "gelu",
    "attention_dropout": 0.1,
    "dim": 768,
    "dropout": 0.1,
    "hidden_dim": 3072,
    "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
    "label2id": {"NEGATIVE": 0, "POSITIVE": 1},
    "initializer_range": 0.02,
    "max_position_embeddings": 512,
    "n_heads": 12,
    "n_layers": 6,
    "pad_token_id": 0,
    "qa_dropout": 0.1,
    "seq_classif_dropout": 0.2,
    "sinusoidal_pos_embds": False,
    "tie_weights_": True,
    "torch_dtype": "float32",
    "vocab_size": _PIECES,
}


def make(folder: Path) -> Path:
    """A folder as transformers writes it, 268 MB. Raises `NotMeasured` where the vocabulary is absent."""
    folder.mkdir(parents=True)
    weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    layout = Layout("DistilBertForSequenceClassification", _PIECES, 768, 3072, 12, 6, 512, "Gelu", 1e-12)
    rng = np.random.default_rng(_SEED)
    for ours, name, shape in layout.tensors():
        # As transformers begins a training, but for the head, so that scores are not all one half.
        is_norm = ours.rpartition(".")[0].endswith("ed")
        if name.endswith("bias") or is_norm:
            weights[name] = np.full(shape, float(is_norm and name.endswith("weight")), np.float32)
        else:
            weights[name] = rng.standard_normal(shape, np.float32) * np.float32(0.1 if ours[:4] == "head" else 0.02)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_CONFIG))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces()), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "model_max_length": 512, "tokenizer_class": "DistilBertTokenizer"})
    )
    return folder


def pieces() -> list[str]:
    """The vocabulary of BERT, uncased."""
    try:
        return (DATA / "bert-base-uncased-vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as exc:
        raise NotMeasured(f"the vocabulary is not there: {exc}") from None


class Texts:
    """Draws texts that nobody has asked for before.

    Parameters
    ----------
    seed : equal seeds give equal texts.
    """

    def __init__(self, seed: int) -> None:
        # Whole words are one token each, so that their number is the length.
        self._words = [piece for piece in pieces() if piece.isascii() and piece.isalpha() and len(piece) > 2]
        self._random = random.Random(seed)

    def of(self, tokens: int) -> str:
        """A text of so many tokens, start and end included."""
        return " ".join(self._random.choices(self._words, k=tokens - 2))

    def mixed(self, count: int) -> list[str]:
        """Sentences of film reviews, each with a number that makes it new."""
        return [
            f"{sentence} {self._random.choice(self._words)} {self._random.choice(self._words)}"
            for sentence in self._random.sample(sentences(), count)
        ]


def sentences() -> list[str]:
    """Of SST-2's development part: 26 tokens each in the mean, 66 at most."""
    try:
        lines = gzip.decompress((DATA / "dev.tsv.gz").read_bytes()).decode().splitlines()[1:]
    except OSError as exc:
        raise NotMeasured(f"SST-2 is not there: {exc}") from None
    return [line.partition("\t")[2] for line in lines]
