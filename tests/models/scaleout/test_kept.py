"""What takes long to make is made once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.scaleout.kept import Kept


def test_what_was_made_is_not_made_again() -> None:
    kept: Kept[object] = Kept(2)
    assert kept.get("a", object) is kept.get("a", object)


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    kept: Kept[object] = Kept(2)
    first = kept.get("a", object)
    second = kept.get("b", object)
    kept.get("a", object)
    kept.get("c", object)
    assert len(kept) == 2
    assert kept.get("a", object) is first
    assert kept.get("b", object) is not second


def test_threads_that_ask_at_once_have_it_made_once() -> None:
    kept: Kept[int] = Kept(2)
    begun, go_on, made = threading.Event(), threading.Event(), []

    def make() -> int:
        made.append(1)
        begun.set()
        assert go_on.wait(60)
        return 7

    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(kept.get, "a", make) for _ in range(8)]
        assert begun.wait(60)
        go_on.set()
        assert [future.result(60) for future in futures] == [7] * 8
    assert made == [1]


def test_what_could_not_be_made_is_tried_again() -> None:
    kept: Kept[int] = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 1) == 1
