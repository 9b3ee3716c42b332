"""Times and sizes as people write them."""

import pytest

from common.submission.parse import memory_bytes, time_limit_s


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1:30:00", 5400),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30min", 5400),
        (5400, 5400),
        (5400.0, 5400),
        ("5400", 5400),
        ("2-12:00:00", 216_000),
        ("2d", 172_800),
        ("45s", 45),
    ],
)
def test_times_are_read(given: object, expected: int) -> None:
    assert time_limit_s(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("2G", 2 << 30), ("512M", 512 << 20), ("1.5GiB", 3 << 29), ("2gb", 2 << 30), (1024, 1024), ("1024", 1024)],
)
def test_sizes_are_read(given: object, expected: int) -> None:
    assert memory_bytes(given) == expected


@pytest.mark.parametrize("given", ["1:30", "90x", "", "m", "-5", 1.5, True, None, [], "1:99:00", "inf", float("inf")])
def test_what_is_no_time_or_not_a_clear_one_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="is a time such as"):
        time_limit_s(given)


@pytest.mark.parametrize("given", ["2X", "", "G", "-1", 1.5, True, None, [], "1e3", float("nan")])
def test_what_is_no_size_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="is a size such as"):
        memory_bytes(given)
