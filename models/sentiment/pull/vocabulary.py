"""The WordPiece vocabulary of a folder, and what its tokenizer does to a text: `vocab.txt` or `tokenizer.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from common.errors import Invalid
from models._text.layout import Layout
from models.sentiment.wordpiece import BertTokenizer, Normalisation

TEXT, JSON, SETTINGS = "vocab.txt", "tokenizer.json", "tokenizer_config.json"

_SPARE = 128


@dataclass(frozen=True)
class Vocabulary:
    """Pieces by their numbers, and the normalisation before them."""

    pieces: tuple[str, ...]
    normalisation: Normalisation


def read_vocabulary(folder: Path, layout: Layout) -> Vocabulary:
    """Read what there is; where both files are there they have to agree.

    Raises
    ------
    Invalid
        The detail begins with the name of the file.
    """
    found: dict[str, Vocabulary] = {}
    if (folder / JSON).exists():
        found[JSON] = _of_json(_object(folder, JSON))
    if (folder / TEXT).exists():
        given = found[JSON].normalisation if JSON in found else _of_settings(folder)
        found[TEXT] = Vocabulary(_lines(folder), given)
    if not found:
        raise _refused(TEXT, f"missing in {folder.name}, and so is {JSON}; save the tokenizer beside the model")
    if len(found) == 2 and found[JSON].pieces != found[TEXT].pieces:
        raise _refused(TEXT, f"names other pieces than {JSON}; remove the one that is not the model's")
    name, vocabulary = next(iter(found.items()))
    spare = layout.pieces - len(vocabulary.pieces)
    # A table may have been made longer to suit a processor.
    if spare and not (0 < spare < _SPARE and layout.pieces % 8 == 0):
        raise _refused(name, f"has {len(vocabulary.pieces)} pieces; config.json says {layout.pieces}; fetch it again")
    if any(not piece or "\n" in piece for piece in vocabulary.pieces):
        raise _refused(name, "has an empty piece, or one with a line feed")
    try:
        BertTokenizer(vocabulary.pieces, layout.positions, vocabulary.normalisation)
    except ValueError as exc:
        raise _refused(name, f"{exc}; give the vocabulary of a BERT WordPiece tokenizer") from None
    return vocabulary


def _of_json(given: Mapping[str, Any]) -> Vocabulary:
    model = given.get("model")
    if not isinstance(model, dict) or model.get("type", "WordPiece") != "WordPiece" or "vocab" not in model:
        kind = model.get("type") if isinstance(model, dict) else None
        raise _refused(JSON, f"the tokenizer is {kind!r}; only BERT's WordPiece is known here")
    vocab = model["vocab"]
    by_number = {number: piece for piece, number in vocab.items()} if isinstance(vocab, dict) else {}
    if not by_number or sorted(map(_number, by_number)) != list(range(len(by_number))) or len(by_number) != len(vocab):
        raise _refused(JSON, "the numbers of the pieces are not 0, 1, 2, …")
    if (model.get("continuing_subword_prefix", "##"), model.get("max_input_chars_per_word", 100)) != ("##", 100):
        raise _refused(JSON, "pieces that go on a word do not begin with ##, or words of 100 characters are cut")
    if model.get("unk_token", "[UNK]") != "[UNK]":
        raise _refused(JSON, f"the unknown piece is {model['unk_token']!r}, not [UNK]")
    normaliser = given.get("normalizer")
    if not isinstance(normaliser, dict) or normaliser.get("type") != "BertNormalizer":
        raise _refused(JSON, "the normalizer is not BertNormalizer; only BERT's own is known here")
    if normaliser.get("clean_text", True) is not True:
        raise _refused(
            JSON, "the normalizer leaves control characters in (`clean_text`); only BERT's own is known here"
        )
    lower = bool(normaliser.get("lowercase", True))
    strip = normaliser.get("strip_accents")
    pieces = tuple(str(by_number[number]) for number in range(len(by_number)))
    ideographs = bool(normaliser.get("handle_chinese_chars", True))
    return Vocabulary(pieces, Normalisation(lower, lower if strip is None else bool(strip), ideographs))


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _of_settings(folder: Path) -> Normalisation:
    """Those of `tokenizer_config.json`; without it BERT's defaults, which are those of the uncased models."""
    given = _object(folder, SETTINGS) if (folder / SETTINGS).exists() else {}
    lower = given.get("do_lower_case", True) is not False
    strip = given.get("strip_accents")
    return Normalisation(
        lower, lower if strip is None else bool(strip), given.get("tokenize_chinese_chars") is not False
    )


def _lines(folder: Path) -> tuple[str, ...]:
    try:
        text = (folder / TEXT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise _refused(TEXT, f"cannot be read as UTF-8 ({exc}); fetch it again") from None
    # Some pieces are signs that `splitlines` takes for ends of lines.
    return tuple(line.rstrip("\r") for line in text.removesuffix("\n").split("\n"))


def _object(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = orjson.loads((folder / name).read_bytes())
    except (OSError, ValueError) as exc:
        raise _refused(name, f"cannot be read as JSON ({exc}); fetch it again") from None
    if not isinstance(found, dict):
        raise _refused(name, "holds no JSON object")
    return found


def _refused(file: str, reason: str) -> Invalid:
    return Invalid(f"{file}: {reason}")
