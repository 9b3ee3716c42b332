from datetime import UTC, datetime

import pytest

from common.submission.records import Partition
from common.submission.runners.slurm.parse import (
    SEPARATOR,
    accounting_rows,
    duration_limit_s,
    duration_s,
    moment,
    node_names,
    partitions,
    queue_rows,
    size_bytes,
)
from common.submission.runners.slurm.states import Ending


def line(*fields: str) -> str:
    return SEPARATOR.join(fields) + SEPARATOR + "\n"


def queued(name: str = "n", **more: str) -> str:
    fields = {
        "array": "5", "job": "5", "index": "N/A", "name": name, "state": "RUNNING", "reason": "None", "nodes": "n1",
        "submitted": "1795300487", "started": "1795300487", "ended": "1795304087", "restarts": "0", "raw": "0", **more,
    }  # fmt: skip
    return line(*fields.values())


def test_a_job_in_the_queue_is_read_in_full() -> None:
    (row,) = queue_rows(queued(state="FAILED", raw="768", restarts="2"))
    assert (row.job_id, row.index, row.state, row.nodes, row.restarts) == ("5", None, "FAILED", ("n1",), 2)
    assert row.ending == Ending(3, None)
    assert row.submitted_at == datetime(2026, 11, 21, 22, 34, 47, tzinfo=UTC)


def test_an_element_of_an_array_goes_by_the_arrays_number_and_its_index() -> None:
    (row,) = queue_rows(queued(array="5", job="7", index="1"))
    assert (row.job_id, row.index) == ("5", 1)


@pytest.mark.parametrize("name", ["with | bar", "a,b;c", "tab\there", "quote's \"", "back\\slash", "é ü", "\x1c\x85"])
def test_names_may_hold_anything_but_the_separator(name: str) -> None:
    rows = list(queue_rows(queued(name) + queued("after")))
    assert [row.name for row in rows] == [name.strip(), "after"]


def test_lines_of_another_shape_are_passed_over() -> None:
    assert [row.name for row in queue_rows("slurm: a warning\n" + queued("one") + "\n")] == ["one"]


def accounted(job_id: str, **more: str) -> str:
    fields = {
        "id": job_id, "name": "n", "state": "COMPLETED", "exit": "0:0", "reason": "None", "nodes": "n[1-2]",
        "submit": "1795300487", "start": "1795300488", "end": "1795300490", "cpu": "00:01.500", "rss": "", "tasks": "",
        **more,
    }  # fmt: skip
    return SEPARATOR.join(fields.values()) + "\n"


def test_the_accountings_steps_give_the_peak_of_memory() -> None:
    text = accounted("4") + accounted("4.batch", rss="2048K") + accounted("4.extern", rss="1K") + accounted("9")
    one, other = accounting_rows(text)
    assert (one.job_id, one.cpu_time_s, one.peak_memory_bytes) == ("4", 1.5, 2048 * 1024)
    assert (other.job_id, other.peak_memory_bytes) == ("9", None)


def test_elements_that_never_began_are_told_together_by_the_accounting() -> None:
    rows = list(accounting_rows(accounted("5_0") + accounted("5_[2-6:2,9%2]", state="CANCELLED by 7")))
    assert [(row.job_id, row.index, row.state) for row in rows] == [
        ("5", 0, "COMPLETED"),
        *(("5", index, "CANCELLED by 7") for index in (2, 4, 6, 9)),
    ]


def test_a_peak_that_nobody_measured_is_unknown() -> None:
    (row,) = accounting_rows(accounted("4") + accounted("4.batch", rss="0"))
    assert row.peak_memory_bytes is None


def test_partitions_tell_their_nodes_cpus_and_time_limit() -> None:
    text = "\n".join(
        SEPARATOR.join(fields)
        for fields in [
            ("cpu", "cpu*", "up", "1/3/0/4", "2/14/0/16", "1-00:00:00"),
            ("gpu", "gpu", "drain", "0/0/1/1", "0/0/8/8", "infinite"),
        ]
    )
    assert partitions(text) == [
        Partition("cpu", "up", True, 4, 3, 16, 14, 86400),
        Partition("gpu", "drain", False, 1, 0, 8, 0, None),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:01.500", 1.5), ("01:02:03", 3723.0), ("1-02:03:04", 93784.0), ("", None), ("INVALID", None)],
)
def test_cpu_time_is_read_in_all_its_forms(text: str, seconds: float | None) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("5:00", 300), ("1:00:00", 3600), ("infinite", None), ("n/a", None)])
def test_time_limits_of_partitions(text: str, seconds: int | None) -> None:
    assert duration_limit_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("768K", 768 * 1024), ("1.50M", 1572864), ("0", 0), ("2G", 2 << 30), ("", None), ("x", None)]
)
def test_sizes_of_memory(text: str, size: int | None) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["N/A", "Unknown", "None", "", "0", "2026-11-21T22:34:47", "9" * 30])
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", ("n1",)),
        ("n[1-3]", ("n1", "n2", "n3")),
        ("n[08-10],m", ("n08", "n09", "n10", "m")),
        ("r[1-2]n[1,3]", ("r1n1", "r1n3", "r2n1", "r2n3")),
        ("", ()),
        ("(null)", ()),
        ("None assigned", ()),
        ("n[1-99999999999]", ("n1-99999999999",)),
        ("n[", ("n[",)),
    ],
)
def test_lists_of_nodes_are_expanded(text: str, names: tuple[str, ...]) -> None:
    assert node_names(text) == names
