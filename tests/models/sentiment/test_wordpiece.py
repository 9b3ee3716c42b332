"""BERT's own tokenizer, and that it cuts as the library does that models are trained with."""

import random
from pathlib import Path
from typing import Any

import pytest

from models.sentiment.pull.sample import read_sample
from models.sentiment.wordpiece import BertTokenizer, Normalisation
from tests.support.hugging_face import PIECES

UNCASED, CASED = Normalisation(), Normalisation(lowercase=False, strip_accents=False)


def tokenizer(normalisation: Normalisation = UNCASED) -> BertTokenizer:
    return BertTokenizer(PIECES, 128, normalisation)


def pieces(text: str, normalisation: Normalisation = UNCASED) -> list[str]:
    return [PIECES[number] for number in tokenizer(normalisation).encode(text)]


def test_a_word_is_cut_into_its_longest_pieces_between_start_and_end() -> None:
    assert pieces("loved filming!") == ["[CLS]", "loved", "film", "##ing", "!", "[SEP]"]


def test_contractions_are_left_as_they_are() -> None:
    assert pieces("do n't") == ["[CLS]", "d", "##o", "n", "'", "t", "[SEP]"]


def test_accents_and_capitals_count_only_where_the_model_is_cased() -> None:
    assert pieces("É") == ["[CLS]", "e", "[SEP]"]
    assert pieces("é", CASED) == ["[CLS]", "é", "[SEP]"]
    assert pieces("GOOD", CASED) == ["[CLS]", "[UNK]", "[SEP]"]


def test_each_ideograph_is_a_word() -> None:
    assert pieces("中文") == ["[CLS]", "中", "文", "[SEP]"]


def test_a_text_that_spells_a_special_piece_does_not_become_one() -> None:
    assert pieces("[SEP]")[1:-1] == ["[", "s", "##e", "##p", "]"]


def test_a_word_beyond_the_longest_is_unknown() -> None:
    assert pieces("a" * 101) == ["[CLS]", "[UNK]", "[SEP]"]


def test_a_text_beyond_the_longest_is_cut() -> None:
    assert len(tokenizer().encode("good " * 500)) == 128


def test_a_vocabulary_without_special_pieces_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks \[CLS\]"):
        BertTokenizer([piece for piece in PIECES if piece != "[CLS]"], 128, UNCASED)


def strange(count: int) -> list[str]:
    rng = random.Random(0)
    codes = [
        *range(0x250),
        *range(0x370, 0x400),
        0x200B,
        0x2028,
        0x4E2D,
        0x3042,
        0x1F600,
        0xFFFD,
        0xE000,
        0x130,
        0xAC00,
    ]
    return ["".join(chr(rng.choice(codes)) for _ in range(rng.randrange(1, 60))) for _ in range(count)]


@pytest.mark.parametrize("lowercase", [True, False])
def test_texts_are_cut_as_by_the_library(tmp_path: Path, lowercase: bool) -> None:
    transformers: Any = pytest.importorskip(
        "transformers", reason="transformers is not installed; the extra `train` has it"
    )
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    theirs = transformers.BertTokenizer(vocab=str(tmp_path / "vocab.txt"), do_lower_case=lowercase)
    ours = tokenizer(Normalisation(lowercase, lowercase))
    texts = [*read_sample().texts, *strange(500), "İstanbul ΣΑΣ don't naïve—«good»", "", " \x1c\x85 x"]
    for text in texts:
        assert ours.encode(text) == theirs(text, truncation=True, max_length=128)["input_ids"], ascii(text)
