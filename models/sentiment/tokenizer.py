"""Text to word pieces: the tokenizer of the model in the box.

Words are cut into the longest pieces that the vocabulary has, from the left (WordPiece; Schuster and Nakajima 2012, as
in BERT: a piece that goes on a word begins with `##`). Before that, text is lower-cased, loses its accents, and is cut
into words (letters and digits together) and single other signs. Contractions of treebanks (`do n't`, `-lrb-`) and
typographic quotes are written as people type them, so that both spellings are the same to the model.

Pure Python: a word that was met before costs one look-up, and a text of 16 words a few microseconds.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

PAD, UNKNOWN, START, END = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
# A word that is longer is no word; cutting it would cost the square of its length.
MAX_WORD_CHARS = 64
# Words of several pieces that are remembered; about 2 MB.
_MEMORY = 10_000

_ASCII_WORDS = re.compile(r"[a-z0-9]+|[^\sa-z0-9]").findall
_WORDS = re.compile(r"[^\W_]+|[^\w\s]|_").findall
_TREEBANK = re.compile(r"(?<=\w) n't\b|-lrb-|-rrb-|``|''")
_PLAIN = {" n't": "n't", "-lrb-": "(", "-rrb-": ")", "``": '"', "''": '"'}
_TYPOGRAPHIC = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2026": "..."}
)


class Tokenizer:
    """Numbers of word pieces; safe to use from several threads.

    Parameters
    ----------
    pieces : the vocabulary, the number of a piece being its place; the first four are `SPECIAL`.
    max_length : most numbers a text is cut to, those of start and end included.

    Raises
    ------
    ValueError
        The vocabulary does not begin with `SPECIAL`, or names a piece twice.
    """

    max_word_chars = MAX_WORD_CHARS

    def __init__(self, pieces: Sequence[str], max_length: int = 512) -> None:
        if tuple(pieces[: len(SPECIAL)]) != SPECIAL:
            raise ValueError(f"the vocabulary begins with {list(pieces[:4])}, not with {list(SPECIAL)}")
        self._learn_pieces(pieces, max_length)

    def _learn_pieces(self, pieces: Sequence[str], max_length: int) -> None:
        self.pieces = tuple(pieces)
        self.max_length = max_length
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        if len(self._numbers) != len(pieces):
            raise ValueError("the vocabulary names a piece twice")
        missing = [piece for piece in SPECIAL if piece not in self._numbers]
        if missing:
            raise ValueError(f"the vocabulary lacks {', '.join(missing)}")
        self.start, self.end, self._unknown = (self._numbers[piece] for piece in (START, END, UNKNOWN))
        self._longest = max(map(len, pieces))
        self._known: dict[str, tuple[int, ...]] = {}

    @classmethod
    def open(cls, file: Path, max_length: int = 512) -> "Tokenizer":
        """Reads a vocabulary: a piece a line, UTF-8.

        Raises
        ------
        OSError, UnicodeDecodeError, ValueError
            The file cannot be read, or is no vocabulary.
        """
        return cls(file.read_text(encoding="utf-8").splitlines(), max_length)

    def encode(self, text: str) -> list[int]:
        """Numbers of a text's pieces between start and end: 2 to `max_length` of them; a longer text is cut."""
        return [self.start, *self._numbers_of(self.words(text), self.max_length - 2), self.end]

    def numbers(self, text: str) -> list[int]:
        """Numbers of all pieces of a text, without start and end, however many they are."""
        return self._numbers_of(self.words(text), sys.maxsize)

    def words(self, text: str) -> list[str]:
        """The words and signs that a text is cut into before each is cut into pieces."""
        return words(text)

    def _numbers_of(self, said: Iterable[str], most: int) -> list[int]:
        whole, known = self._numbers, self._known
        numbers: list[int] = []
        for word in said:
            number = whole.get(word)
            if number is not None:
                # As most words are; what says so needs no memory of its own.
                numbers.append(number)
            else:
                found = known.get(word)
                numbers += self._learn(word) if found is None else found
            if len(numbers) > most:
                del numbers[most:]
                break
        return numbers

    def _learn(self, word: str) -> tuple[int, ...]:
        if len(self._known) >= _MEMORY:
            # All at once: what is common is back soon, and a look-up need not keep an order.
            self._known = {}
        found = self._known[word] = self._cut(word)
        return found

    def _cut(self, word: str) -> tuple[int, ...]:
        """The longest pieces of a word, from the left; the unknown piece where there are none for all of it."""
        if len(word) > self.max_word_chars:
            return (self._unknown,)
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                number = self._numbers.get(mark + word[start:end])
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(found)


def words(text: str) -> list[str]:
    """A text's words and signs, in lower case and without accents."""
    text = text.lower()
    if "n't" in text or "rb-" in text or "``" in text or "''" in text:
        text = _TREEBANK.sub(lambda match: _PLAIN[match[0]], text)
    if text.isascii():
        return _ASCII_WORDS(text)
    text = unicodedata.normalize("NFD", text.translate(_TYPOGRAPHIC))
    # Lower case again: some capitals become ASCII ones by their decomposition.
    return _WORDS("".join(char for char in text if unicodedata.category(char) != "Mn").lower())


def english(pieces: Iterable[str], most: int) -> list[str]:
    """A vocabulary cut to `most` pieces: `SPECIAL`, then those of ASCII letters, digits and signs in their old order.

    The order of BERT's vocabulary is that of frequency, so that the rarest words go, and are cut into pieces instead.
    All single signs stay, so that no ASCII word is unknown.
    """
    wanted = [piece for piece in pieces if piece.isascii() and not re.fullmatch(r"\[.+\]", piece)]
    single = [piece for piece in wanted if len(piece.removeprefix("##")) == 1]
    longer = [piece for piece in wanted if len(piece.removeprefix("##")) != 1]
    return [*SPECIAL, *single, *longer][:most]
