import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sentiment.base import vocabulary_of
from models.sentiment.tokenizer import END, MAX_WORD_CHARS, PAD, SPECIAL, START, UNKNOWN, Tokenizer, english, words

PIECES = [*SPECIAL, "love", "##ly", "##l", "lo", "un", "##able", "i", "don", "'", "t", "!", "(", ")", '"', "cafe"]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(PIECES)


def told(tokenizer: Tokenizer, text: str) -> list[str]:
    """The pieces of a text, without start and end."""
    found = [tokenizer.pieces[number] for number in tokenizer.encode(text)]
    assert (found[0], found[-1]) == (START, END)
    return found[1:-1]


def test_a_word_is_cut_into_its_longest_pieces_from_the_left(tokenizer: Tokenizer) -> None:
    assert told(tokenizer, "lovely unlovable lol") == ["love", "##ly", UNKNOWN, "lo", "##l"]


def test_a_word_of_which_no_piece_is_known_is_unknown_as_a_whole(tokenizer: Tokenizer) -> None:
    assert told(tokenizer, "lovex") == [UNKNOWN]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I LOVE", "i love"),
        ("café", "cafe"),
        ("I do n't", "i don't"),
        ("don\u2019t", "don't"),
        ("\u201clove\u201d", '"love"'),
        ("``love''", '"love"'),
        ("-lrb- love -rrb-", "(love)"),
        ("love  !\n", "love!"),
    ],
)
def test_two_spellings_are_the_same(tokenizer: Tokenizer, one: str, other: str) -> None:
    assert tokenizer.encode(one) == tokenizer.encode(other)


@pytest.mark.parametrize("text", ["", " \t\n", "\u200b\ufeff"])
def test_a_text_without_words_has_a_start_and_an_end(tokenizer: Tokenizer, text: str) -> None:
    assert set(told(tokenizer, text)) <= {UNKNOWN}


def test_a_long_text_is_cut_and_keeps_its_end() -> None:
    found = Tokenizer(PIECES, max_length=8).encode("love " * 100)
    assert found == [2, *[PIECES.index("love")] * 6, 3]


def test_a_text_is_not_read_beyond_what_is_kept_of_a_word_of_many_pieces() -> None:
    tokenizer = Tokenizer([*SPECIAL, "a", "##a"], max_length=8)
    assert tokenizer.encode("a" * 20) == [2, 4, 5, 5, 5, 5, 5, 3]


def test_a_word_without_end_is_unknown(tokenizer: Tokenizer) -> None:
    assert told(tokenizer, "l" * (MAX_WORD_CHARS + 1)) == [UNKNOWN]


def test_what_was_remembered_changes_no_answer(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.sentiment.tokenizer._MEMORY", 2)
    text = "lovely lol i don't cafe lovely"
    first = tokenizer.encode(text)
    assert [tokenizer.encode(text) for _ in range(3)] == [first] * 3


@given(st.text(alphabet=st.characters(), max_size=60), st.integers(2, 12))
def test_any_text_gives_known_numbers_within_the_length(text: str, length: int) -> None:
    found = Tokenizer(PIECES, length).encode(text)
    assert 2 <= len(found) <= length
    assert all(0 < number < len(PIECES) for number in found)
    assert (found[0], found[-1]) == (2, 3)


@given(st.text(string.printable, max_size=60))
def test_words_keep_every_sign_of_ascii_text_but_space(text: str) -> None:
    # Treebank spellings are changed on purpose.
    plain = text.replace("'", "").replace("`", "").replace("-", "")
    assert "".join(words(plain)) == "".join(plain.lower().split())


@pytest.mark.parametrize("pieces", [["a", *SPECIAL], [*SPECIAL[:3]], [*SPECIAL, "a", "a"]])
def test_a_vocabulary_that_is_none_is_refused(pieces: list[str]) -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        Tokenizer(pieces)


def test_a_vocabulary_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "vocabulary.txt"
    file.write_text("\n".join(PIECES) + "\n")
    assert Tokenizer.open(file).pieces == tuple(PIECES)


def test_the_english_part_of_a_vocabulary_keeps_signs_and_the_order() -> None:
    given = [PAD, "[unused1]", UNKNOWN, START, END, "[MASK]", "the", "é", "##ö", "b", "of", "##c", "rare"]
    assert english(given, 8) == [*SPECIAL, "b", "##c", "the", "of"]


def test_a_vocabulary_is_learned_from_texts() -> None:
    pieces = vocabulary_of(["good film", "good play", "goodness"], 200)
    assert pieces[:4] == list(SPECIAL)
    assert "good" in pieces
    assert "film" not in pieces
    assert UNKNOWN not in told(Tokenizer(pieces), "a new film, unseen!")
