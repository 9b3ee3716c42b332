"""A process for jobs that has hardly begun."""

import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from common.jobs import child


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    """Of a pipe: the worker's, the process's."""
    worker, process = Pipe()
    yield worker, process
    worker.close()
    process.close()


def test_a_process_that_cannot_begin_says_so_while_its_worker_lives(
    ends: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_END_S", 0.05)
    worker, process = ends
    worker.send(child.Leave())
    assert not child.is_abandoned(process)


def test_it_is_silent_where_its_worker_has_ended(ends: tuple[Connection, Connection]) -> None:
    worker, process = ends
    worker.send(child.Leave())
    worker.close()
    assert child.is_abandoned(process)


def test_it_is_silent_where_its_worker_is_about_to_end(ends: tuple[Connection, Connection]) -> None:
    worker, process = ends
    ending = threading.Timer(0.1, worker.close)
    ending.start()
    assert child.is_abandoned(process)
    # The other end hears of it while this one is still at it.
    ending.join()
