import numpy as np
import pytest

from models.sentiment.wide import BUCKETS, fit_table, margins, places

PIECES = 20


def test_a_text_has_a_place_for_each_piece_pair_and_triple() -> None:
    found = places([2, 7, 9, 3], PIECES)
    assert found[:4].tolist() == [2, 7, 9, 3]
    assert len(set(found.tolist())) == 4 + 3 + 2
    assert (found[4:] >= PIECES).all()
    assert (found < PIECES + BUCKETS).all()


def test_the_order_of_pieces_makes_other_pairs() -> None:
    assert sorted(places([2, 7, 3], PIECES)) != sorted(places([7, 2, 3], PIECES))


def test_the_shortest_text_has_places() -> None:
    assert len(places([2, 3], PIECES)) == 3


def test_what_stands_in_positive_texts_is_positive() -> None:
    good, bad, of_both = 7, 8, 9
    numbers = [[2, good, of_both, 3], [2, bad, of_both, 3]] * 20
    table = fit_table(numbers, np.array([1, 0] * 20), PIECES)
    found = margins(table, [[2, good, 3], [2, bad, 3], [2, of_both, 3]], PIECES)
    assert found[0] > 0.2
    assert found[1] < -0.2
    assert found[2] == pytest.approx(0, abs=0.05)


def test_a_negated_word_can_weigh_otherwise_than_the_word() -> None:
    no, good = 7, 8
    texts = [[2, good, 3], [2, good, 9, 3], [2, no, good, 3], [2, no, good, 9, 3], [2, no, 3], [2, 9, 3]] * 20
    table = fit_table(texts, np.array([1, 1, 0, 0, 1, 0] * 20), PIECES)
    assert margins(table, [[2, good, 3]], PIECES)[0] > 0 > margins(table, [[2, no, good, 3]], PIECES)[0]
