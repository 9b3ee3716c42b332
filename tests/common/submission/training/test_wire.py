"""What the two sides of a training on a cluster tell each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.submission.training.wire import Account, Gone, Lines, Made, Order, Progressed, Said, Told, line_of, told_by

TOLD: list[Told] = [
    Progressed(0.5, "half", {"loss": 0.25}),
    Said("a line with ünicode and \n a break", "warning"),
    Gone("no data", refused=True),
]


@given(st.integers(1, 40))
def test_lines_are_read_from_pieces_of_any_size(size: int) -> None:
    log = b"".join(map(line_of, TOLD)) + b"printed\r\n"
    lines = Lines()
    found = [told for at in range(0, len(log), size) for told in lines.feed(log[at : at + size])]
    assert found == [*TOLD, Said("printed")]
    assert lines.read_bytes == lines.told_bytes == len(log)


def test_what_is_not_ended_yet_waits_for_its_end() -> None:
    lines = Lines()
    assert list(lines.feed(b"one\ntw")) == [Said("one")]
    assert (lines.read_bytes, lines.told_bytes) == (6, 4)
    assert list(lines.end()) == [Said("tw")]


def test_reading_goes_on_where_another_worker_was() -> None:
    assert Lines(100).read_bytes == 100


def test_a_line_without_end_takes_no_more_memory_than_a_piece() -> None:
    lines = Lines()
    found = [told for _ in range(10) for told in lines.feed(b"x" * 50_000)]
    assert len(found) >= 4
    assert (
        sum(len(told.text) for told in found if isinstance(told, Said)) + (lines.read_bytes - lines.told_bytes)
        == 500_000
    )


@pytest.mark.parametrize(
    "line",
    [
        b"::atoll:: ",
        b"::atoll:: {}",
        b"::atoll:: [1]",
        b'::atoll:: {"progress": 3}',
        b'::atoll:: {"other": {}}',
        b'::atoll:: {"log": {"text": "x", "more": 1}}',
        b"\xff\xfe",
    ],
)
def test_a_programs_own_line_stays_a_line_for_people(line: bytes) -> None:
    assert told_by(line) == Said(line.decode("utf-8", "replace"))


def test_an_order_is_read_as_it_was_written() -> None:
    order = Order("sample", "0" * 27, "abc")
    assert Order.read(order.to_json()) == order


def test_an_account_is_read_as_it_was_written() -> None:
    made = (Made("model.onnx", "a" * 64, 3),)
    account = Account(made, {"metrics": {"rmse": 1.5}, "alias": None}, {"best_params": None, "trials": None}, "v")
    assert Account.read(account.to_json()) == account


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"artefacts": [{}]}', b"{"])
def test_what_is_no_account_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no account"):
        Account.read(content)
