import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.serving import cpu
from common.serving.cpu import cpu_count, parse_cpu_max

AFFINITY = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture
def cgroup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in place of /sys/fs/cgroup, and 8 CPUs by affinity."""
    monkeypatch.setattr(cpu, "_V2", tmp_path / "cpu.max")
    monkeypatch.setattr(cpu, "_V1_QUOTA", tmp_path / "quota")
    monkeypatch.setattr(cpu, "_V1_PERIOD", tmp_path / "period")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("max 100000\n", None), ("max", None), ("150000 100000\n", 1.5), ("50000 100000", 0.5), ("200000", 2.0)],
)
def test_a_quota_is_read_as_cpus(text: str, cpus: float | None) -> None:
    assert parse_cpu_max(text) == cpus


@given(st.integers(1000, 10**8), st.integers(1000, 10**6))
def test_a_quota_is_the_share_of_its_period(quota: int, period: int) -> None:
    assert parse_cpu_max(f"{quota} {period}\n") == quota / period


@pytest.mark.parametrize(("text", "threads"), [("150000 100000", 2), ("100000 100000", 1), ("10000 100000", 1)])
def test_part_of_a_cpu_counts_as_a_whole_one(cgroup: Path, text: str, threads: int) -> None:
    (cgroup / "cpu.max").write_text(text)
    assert cpu_count() == threads


def test_without_a_quota_the_affinity_counts(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("max 100000\n")
    assert cpu_count() == 8


def test_a_quota_beyond_the_affinity_changes_nothing(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("6400000 100000\n")
    assert cpu_count() == 8


def test_the_older_kind_of_control_group_is_read(cgroup: Path) -> None:
    (cgroup / "quota").write_text("300000\n")
    (cgroup / "period").write_text("100000\n")
    assert cpu_count() == 3


def test_minus_one_is_no_quota_in_the_older_kind(cgroup: Path) -> None:
    (cgroup / "quota").write_text("-1\n")
    (cgroup / "period").write_text("100000\n")
    assert cpu_count() == 8


@pytest.mark.parametrize("text", ["", "many few"])
def test_a_quota_that_cannot_be_read_is_none(cgroup: Path, text: str) -> None:
    (cgroup / "cpu.max").write_text(text)
    assert cpu_count() == 8


def test_without_control_groups_the_affinity_counts(cgroup: Path) -> None:
    assert not list(cgroup.iterdir())
    assert cpu_count() == 8


def test_here_there_is_at_least_one_cpu_and_no_more_than_the_affinity() -> None:
    assert 1 <= cpu_count() <= AFFINITY
