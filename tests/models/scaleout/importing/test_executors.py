import pytest

from models.scaleout.importing.executors import Executors


def executors(*changes: tuple[float, str]) -> Executors:
    """`+a` comes, `-a` goes."""
    found = Executors()
    for at_s, change in changes:
        (found.added if change[0] == "+" else found.removed)(at_s, change[1:])
    return found


def test_executors_are_counted_at_any_time() -> None:
    found = executors((1, "+a"), (2, "+b"), (5, "-a"))
    assert [found.at(at_s) for at_s in (0, 1, 2, 4.9, 5, 9)] == [0, 1, 2, 2, 1, 1]


def test_an_executor_that_is_told_twice_counts_once() -> None:
    found = executors((1, "+a"), (2, "+a"), (3, "-a"), (4, "-a"))
    assert [found.at(2.5), found.at(5)] == [1, 0]


def test_changes_may_be_told_out_of_order() -> None:
    assert executors((5, "+b"), (1, "+a")).at(2) == 1


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ([], 0.0),
        # All were there before.
        ([(1.0, "+a")], 0.0),
        # One that comes had been asked for before.
        ([(14.0, "+a")], 0.4),
        # One that fails and is replaced: the time between.
        ([(1.0, "+a"), (13.0, "-a"), (16.0, "+b")], 0.3),
        # One that goes is gone at once.
        ([(1.0, "+a"), (15.0, "-a")], 0.0),
        ([(21.0, "+a")], 0.0),
    ],
)
def test_the_share_of_time_spent_rescaling(changes: list[tuple[float, str]], share: float) -> None:
    assert executors(*changes).rescaling(10, 20) == pytest.approx(share)


def test_no_time_has_no_share() -> None:
    assert executors((10.0, "+a")).rescaling(10, 10) == 0.0


def test_in_one_moment_one_goes_before_another_comes() -> None:
    found = executors((1, "+a"), (2, "+b"), (2, "-a"), (9, "+c"))
    assert (found.at(2), found.rescaling(1.5, 3.0)) == (1, 0.0)
