"""One read for all who asked before it began."""

import threading

from common.security.keys.reads import SharedReads

PATIENCE_S = 30


class Slow:
    """A read that takes until it is let go, and counts."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.goes_on = threading.Semaphore(0)
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self.began.release()
        assert self.goes_on.acquire(timeout=PATIENCE_S)


def test_whoever_asks_while_a_read_is_under_way_is_given_the_next_one() -> None:
    slow = Slow()
    reads = SharedReads(slow, gap_s=0)
    first = reads.ask()
    assert slow.began.acquire(timeout=PATIENCE_S)
    later = [reads.ask() for _ in range(100)]
    slow.goes_on.release()
    assert first.result(PATIENCE_S) is None
    assert slow.began.acquire(timeout=PATIENCE_S)
    assert not any(future.done() for future in later)
    slow.goes_on.release()
    assert [future.result(PATIENCE_S) for future in later] == [None] * 100
    assert slow.count == 2


def test_what_a_read_raises_is_told_to_all_who_asked_and_the_next_is_made() -> None:
    failures: list[BaseException] = [ValueError("no"), SystemExit(1)]

    def read() -> None:
        if failures:
            raise failures.pop(0)

    reads = SharedReads(read, gap_s=0)
    told = [type(reads.ask().result(PATIENCE_S)) for _ in range(3)]
    assert told == [ValueError, SystemExit, type(None)]


def test_one_who_goes_away_does_not_cancel_the_read_of_the_others() -> None:
    slow = Slow()
    reads = SharedReads(slow, gap_s=0)
    mine, theirs = reads.ask(), reads.ask()
    assert mine.cancel() is False
    slow.goes_on.release()
    slow.goes_on.release()
    assert theirs.result(PATIENCE_S) is None


def test_many_who_ask_from_many_threads_are_all_answered() -> None:
    reads = SharedReads(lambda: None, gap_s=0)
    answered: list[object] = []

    def ask() -> None:
        answered.extend(reads.ask().result(PATIENCE_S) for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert answered == [None] * 400
