"""BERT's own tokenizer, for models that were trained with it: cased or uncased WordPiece (Devlin et al. 2019).

Unlike that of the model in the box it changes no spelling: `do n't` stays two words. The rules are those of the
library that such models are trained with (Hugging Face's `tokenizers`); a test compares with it. One thing is not the
same on purpose: a text that spells a special piece, `[SEP]`, is text, and does not become one.
"""

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from models.sentiment.tokenizer import Tokenizer

_ASCII_WORDS = re.compile(rf"[^\s{re.escape(string.punctuation)}]+|[{re.escape(string.punctuation)}]").findall
_NO_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in "\t\n\r"}
# Code points without a sign as yet (Cn) stay: which those are depends on the age of the tables.
_CONTROLS = frozenset({"Cc", "Cf", "Co", "Cs"})
_PUNCTUATION = frozenset(string.punctuation)
# Ideographs; each is a word.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


@dataclass(frozen=True)
class Normalisation:
    """What becomes of a text before it is cut.

    Parameters
    ----------
    lowercase : capitals do not count.
    strip_accents : neither do accents.
    split_ideographs : each is a word.
    """

    lowercase: bool = True
    strip_accents: bool = True
    split_ideographs: bool = True

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError where `given` is not what `as_json` wrote."""
        fields = {name: given[name] for name in cls.__dataclass_fields__}
        if not all(isinstance(value, bool) for value in fields.values()):
            raise ValueError("a normalisation is not true or false")
        return cls(**fields)

    def as_json(self) -> dict[str, bool]:
        return asdict(self)

    def words(self, text: str) -> list[str]:
        """A text's words and signs."""
        if text.isascii():
            cleaned = text.translate(_NO_CONTROLS)
            return _ASCII_WORDS(cleaned.lower() if self.lowercase else cleaned)
        cleaned = "".join(map(self._clean, text))
        if self.strip_accents:
            decomposed = unicodedata.normalize("NFD", cleaned)
            cleaned = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
        if self.lowercase:
            # Sign by sign: a sigma at the end of a word is an ordinary one.
            cleaned = "".join(map(str.lower, cleaned))
        return [word for part in cleaned.split() for word in _split(part)]

    def _clean(self, char: str) -> str:
        if char in "\t\n\r":
            return " "
        if char == "\ufffd" or unicodedata.category(char) in _CONTROLS:
            return ""
        if self.split_ideographs and _is_ideograph(char):
            return f" {char} "
        return char


class BertTokenizer(Tokenizer):
    """Numbers of word pieces; safe to use from several threads.

    Parameters
    ----------
    pieces : the vocabulary, the number of a piece being its place.

    Raises
    ------
    ValueError
        The vocabulary lacks a special piece, or names one twice.
    """

    max_word_chars = 100

    def __init__(self, pieces: Sequence[str], max_length: int, normalisation: Normalisation) -> None:
        self.normalisation = normalisation
        self._known = {}
        self._learn_pieces(pieces, max_length)

    def words(self, text: str) -> list[str]:
        return self.normalisation.words(text)


def _is_ideograph(char: str) -> bool:
    code = ord(char)
    return code >= 0x3400 and any(low <= code <= high for low, high in _IDEOGRAPHS)


def _split(part: str) -> list[str]:
    """Signs apart from the letters between them."""
    words, start = [], 0
    for place, char in enumerate(part):
        if char in _PUNCTUATION or unicodedata.category(char).startswith("P"):
            if start < place:
                words.append(part[start:place])
            words.append(char)
            start = place + 1
    if start < len(part):
        words.append(part[start:])
    return words
