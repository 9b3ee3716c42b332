"""Callers take turns."""

from common.serving.fair_queue import FairQueue


def filled(**callers: int) -> FairQueue[int]:
    queue: FairQueue[int] = FairQueue()
    for caller, count in callers.items():
        for number in range(count):
            queue.put(caller, number)
    return queue


def test_a_caller_with_one_item_waits_for_one_of_each_other() -> None:
    assert filled(many=100, few=1).take(3) == [("many", 0), ("few", 0), ("many", 1)]


def test_the_items_of_one_caller_keep_their_order() -> None:
    queue = filled(a=5)
    assert [item for _, item in queue.take(3) + queue.take(9)] == [0, 1, 2, 3, 4]
    assert len(queue) == 0


def test_what_is_put_back_comes_first_and_in_order() -> None:
    queue = filled(a=3, b=2)
    taken = queue.take(4)
    queue.put_back(iter(taken[1:]))
    assert len(queue) == 4
    again = queue.take(9)
    assert [item for caller, item in again if caller == "a"] == [1, 2]
    assert [item for caller, item in again if caller == "b"] == [0, 1]
    assert again[0] == taken[1]


def test_it_tells_what_a_caller_holds() -> None:
    queue = filled(a=3, b=2)
    queue.take(2)
    assert (queue.held_by("a"), queue.held_by("b"), queue.held_by("c")) == (2, 1, 0)
