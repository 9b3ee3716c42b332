import pytest

from common.errors import Invalid
from common.submission.arrays import indices


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ("0-3", ([0, 1, 2, 3], None)),
        ("0-9:3", ([0, 3, 6, 9], None)),
        ("1,5,7%2", ([1, 5, 7], 2)),
        ("4,2-4,2", ([2, 3, 4], None)),
        ("7", ([7], None)),
    ],
)
def test_an_array_names_its_indices_in_order_and_once_each(array: str, expected: tuple[list[int], int | None]) -> None:
    assert indices(array) == expected


@pytest.mark.parametrize("array", ["5-1", "0-9:0", "0-3%0", "0-99999", "0-5000,6000-12000"])
def test_an_array_of_nothing_or_too_much_is_refused_by_the_name_of_its_field(array: str) -> None:
    with pytest.raises(Invalid, match="array"):
        indices(array)
