"""Answers from a folder with `model.onnx`, `vocabulary.txt` and `model.json`, by ONNX Runtime and NumPy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from common.serving.mapped_onnx import Cpu, mapped
from models.sentiment.calibration import softmax
from models.sentiment.tokenizer import Tokenizer
from models.sentiment.wordpiece import BertTokenizer, Normalisation

if TYPE_CHECKING:
    import onnxruntime

MODEL, VOCABULARY, CARD = FILES = ("model.onnx", "vocabulary.txt", "model.json")
# The one in the repository.
BOX = Path(__file__).parent / "box"
# Numbers between the linear maps of a layer that a run may hold at once; 1.5 MB. Twice as many are 3% faster and take
# 6 MB more on each thread.
_RUN_NUMBERS = 393_216
_LEAST_TOKENS, _CHEAP_TOKENS = 128, 1024
# Columns of what `run` gives.
LABELS = ("NEGATIVE", "POSITIVE")


class BrokenModel(ValueError):
    """A folder does not hold a model; the text names the file and the reason."""


@dataclass(frozen=True)
class Tokens:
    """A batch. ids, mask: (n, length) int64; mask is 1 for a token, 0 for padding, where ids are 0."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]

    @classmethod
    def pad(cls, numbers: Sequence[Sequence[int]]) -> Self:
        """Texts' token numbers, padded to the longest one."""
        lengths = np.fromiter(map(len, numbers), np.int64, len(numbers))
        mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
        ids = np.zeros(mask.shape, np.int64)
        ids[mask] = np.fromiter((number for one in numbers for number in one), np.int64, int(lengths.sum()))
        return cls(ids, mask.astype(np.int64))


class Classifier:
    """Sentiment of English texts. Safe to use from several threads; each `run` takes `threads` cores.

    Attributes
    ----------
    tokenizer : `encode(text)` gives a text's token numbers; how many tells what it costs.
    card : what `model.json` says: sizes, figures, sources.
    """

    def __init__(self, session: "onnxruntime.InferenceSession", tokenizer: Tokenizer, card: dict[str, Any]) -> None:
        self._session = session
        self.tokenizer = tokenizer
        self.card = card

    @classmethod
    def open(cls, folder: Path = BOX, threads: int = 1) -> Self:
        """Read a folder; about 50 ms. Parameters and errors are those of `of_files`."""
        return cls.of_files({name: folder / name for name in FILES}, threads, where=folder.name)

    @classmethod
    def of_files(
        cls, files: Mapping[str, Path], threads: int = 1, *, cache: Path | None = None, where: str = "the version"
    ) -> Self:
        """Read the files of a model, by their names in `FILES`.

        Parameters
        ----------
        threads : cores that one `run` uses.
        cache : folder of this machine for a copy of a large model that processes share (see `mapped`).
        where : the files are from, for errors.

        Raises
        ------
        BrokenModel
            A file is missing, cannot be read, does not fit the others, or is not for this processor.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Memory laid out for each length that was met would be kept for each of them.
        options.enable_mem_pattern = False
        # Warnings of the runtime are about its own choices.
        options.log_severity_level = 3
        at = CARD
        try:
            card = orjson.loads(files[CARD].read_bytes())
            sizes = card["sizes"]
            if card.get("weight_bits") == 8 and not Cpu.here().has_vnni:
                raise ValueError("weights of eight bits overflow on this processor; pull the model with --bits 7")
            at = VOCABULARY
            tokenizer = _tokenizer(files[VOCABULARY], card, int(sizes["positions"]))
            if len(tokenizer.pieces) != sizes["pieces"]:
                raise ValueError(f"has {len(tokenizer.pieces)} pieces; {CARD} says {sizes['pieces']}")
            at = MODEL
            copy = None if cache is None else mapped(files[MODEL], cache)
            if copy is not None:
                # It is what the runtime made of the model: nothing is left to be done.
                options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            content = str(copy) if copy else files[MODEL].read_bytes()
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        # The runtime's own errors have no other class in common.
        except Exception as exc:
            raise BrokenModel(f"{at} in {where}: {type(exc).__name__}: {exc}"[:500]) from exc
        return cls(session, tokenizer, card)

    @property
    def run_tokens(self) -> int:
        """Tokens of a run, padding included, beyond which it takes more memory and is no faster."""
        return max(_LEAST_TOKENS, _RUN_NUMBERS // int(self.card["sizes"].get("inner", 1)))

    @property
    def token_cost(self) -> int:
        """What a token costs, in tokens of the model in the box: a batch of a large model holds fewer."""
        return max(1, _CHEAP_TOKENS // self.run_tokens)

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Texts as one batch, padded to the longest; a text beyond the model's length is cut."""
        return Tokens.pad([self.tokenizer.encode(text) for text in texts])

    def logits(self, tokens: Tokens) -> NDArray[np.float32]:
        """(n, 2) float32, calibrated: their softmax is `run`. A text's row does not depend on the others."""
        if not len(tokens.ids):
            return np.zeros((0, len(LABELS)), np.float32)
        fed = {"input_ids": tokens.ids, "attention_mask": tokens.mask}
        found: NDArray[np.float32] = self._session.run(["logits"], fed)[0]
        return found

    def run(self, tokens: Tokens) -> NDArray[np.float64]:
        """Probabilities, (n, 2) float64, of the classes in `LABELS`; each row adds up to 1."""
        return softmax(self.logits(tokens))

    def classify(self, texts: Sequence[str], most_tokens: int = 4096) -> NDArray[np.float64]:
        """Probabilities of any number of texts, (n, 2) float64, in batches of texts of like length.

        Parameters
        ----------
        most_tokens : in a batch, padding included; a text that is longer runs alone.
        """
        numbers = [self.tokenizer.encode(text) for text in texts]
        answers = np.zeros((len(texts), len(LABELS)))
        for places in by_length([len(one) for one in numbers], most_tokens):
            answers[places] = self.run(Tokens.pad([numbers[place] for place in places]))
        return answers


def _tokenizer(file: Path, card: Mapping[str, Any], longest: int) -> Tokenizer:
    given = card.get("tokenizer")
    if not isinstance(given, dict) or given.get("kind") != "bert":
        return Tokenizer.open(file, longest)
    # Some pieces are signs that `splitlines` takes for ends of lines.
    pieces = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return BertTokenizer(pieces, longest, Normalisation.from_json(given))


def by_length(lengths: Sequence[int], most_tokens: int, most_texts: int = 256) -> list[list[int]]:
    """Places of texts in batches of like length, shortest first, each of at most `most_tokens` with its padding."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = not batches or (len(batches[-1]) + 1) * lengths[place] > most_tokens or len(batches[-1]) >= most_texts
        if full:
            batches.append([])
        batches[-1].append(place)
    return batches
