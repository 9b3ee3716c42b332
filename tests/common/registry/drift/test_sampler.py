"""What a process keeps of its requests, and what it does without."""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from common.clock import FakeClock
from common.database import Database
from common.errors import DependencyFailed
from common.registry.drift import choice
from common.registry.drift.definitions import Sampling
from common.registry.drift.files import Samples
from common.registry.drift.sampler import Items, Sampler
from common.registry.service import Registry
from tests.common.registry.test_routes import WHO

X, Y = {"x": np.ones((1, 2), np.float32)}, {"y": np.zeros(1, np.int64)}


@pytest.fixture
def model(registry: Registry) -> str:
    name = f"m{uuid.uuid4().hex}"
    registry.publish(name, {}, **WHO)
    return name


@pytest.fixture
def want(registry: Registry, clock: FakeClock) -> Callable[..., None]:
    def write(model: str, **how: Any) -> None:
        wanted = Sampling(**({"fraction": 1} | how))
        registry.database.write(lambda connection: choice.write(connection, model, wanted, changed_at=clock.now()))

    return write


@pytest.fixture
def sampler(registry: Registry, clock: FakeClock) -> Sampler:
    return Sampler(lambda: registry, is_on=True, clock=clock, buffer_bytes=10_000)


def outcome(model: str, name: str) -> float:
    return REGISTRY.get_sample_value("atoll_sample_rows_total", {"model": model, "outcome": name}) or 0.0


def kept(registry: Registry, model: str, number: int = 1) -> dict[str, list[Any]]:
    table = Samples(registry.blobs.share).read(model, number, most=10_000)
    return {name: column.tolist() for name, column in table.columns.items()}


def test_rows_get_to_the_share(sampler: Sampler, registry: Registry, model: str, want: Callable[..., None]) -> None:
    want(model)
    sampler.look()
    sampler.offer(model, "1", X, Y)
    sampler.offer(model, 1, X, Y)
    assert sampler.flush() == 2
    assert kept(registry, model) == {"input.x.0": [1.0, 1.0], "input.x.1": [1.0, 1.0], "output.y": [0.0, 0.0]}
    assert outcome(model, "kept") == 2


def test_a_full_buffer_drops_and_counts(sampler: Sampler, model: str, want: Callable[..., None]) -> None:
    want(model)
    sampler.look()
    for _ in range(1000):
        sampler.offer(model, 1, X, Y)
    waiting = sampler.waiting_rows(model)
    assert 0 < waiting < 100
    assert outcome(model, "dropped") == 1000 - waiting
    sampler.flush()
    sampler.offer(model, 1, X, Y)
    assert sampler.waiting_rows(model) == 1


@pytest.mark.parametrize(
    ("inputs", "version"),
    [(X, "newest"), ({"x": None}, 1), ({"x": np.array([object()])}, 1), ({"x": np.array([1 + 2j])}, 1)],
)
def test_nothing_odd_about_a_request_gets_out(
    sampler: Sampler, model: str, want: Callable[..., None], inputs: Any, version: Any
) -> None:
    want(model)
    sampler.look()
    sampler.offer(model, version, inputs, {"y": None})  # type: ignore[dict-item]  # as odd as can be
    assert sampler.flush() <= 1


def test_texts_are_lengths_unless_asked_for(
    sampler: Sampler, registry: Registry, model: str, want: Callable[..., None]
) -> None:
    want(model, texts=("city",), drop=("name",))
    sampler.look()
    texts = {name: np.array([b"Apia"], dtype=object) for name in ("city", "name", "note")}
    sampler.offer(model, 1, texts, {})
    sampler.flush()
    assert kept(registry, model) == {"input.city": ["Apia"], "input.note.length": [4.0]}


def test_rows_taken_under_other_rules_are_not_kept(
    sampler: Sampler, registry: Registry, model: str, want: Callable[..., None]
) -> None:
    want(model)
    sampler.look()
    sampler.offer(model, 1, X, Y)
    want(model, drop=("x",))
    sampler.look()
    sampler.offer(model, 1, X, Y)
    sampler.flush()
    assert kept(registry, model) == {"output.y": [0.0]}
    assert outcome(model, "lost") == 1


def test_a_fraction_of_none_keeps_none(sampler: Sampler, model: str, want: Callable[..., None]) -> None:
    want(model, fraction=0)
    sampler.look()
    sampler.offer(model, 1, X, Y)
    assert sampler.waiting_rows(model) == 0


def test_what_cannot_be_read_of_a_later_version_keeps_nothing(
    sampler: Sampler, registry: Registry, model: str, want: Callable[..., None]
) -> None:
    want(model)
    registry.database.write(
        lambda connection: connection.exec_driver_sql("""UPDATE registry_sampling SET how = '{"fraction": "most"}'""")
    )
    sampler.look()
    sampler.offer(model, 1, X, Y)
    assert sampler.waiting_rows(model) == 0


def test_where_the_database_is_silent_for_long_nothing_is_kept_any_more(
    registry: Registry, model: str, want: Callable[..., None], clock: FakeClock
) -> None:
    is_away = threading.Event()

    def find() -> Registry:
        if is_away.is_set():
            raise DependencyFailed("away")
        return registry

    want(model)
    sampler = Sampler(find, is_on=True, clock=clock)
    sampler.look()
    is_away.set()
    sampler.look()
    sampler.offer(model, 1, X, Y)
    assert sampler.waiting_rows(model) == 1
    clock.advance(61)
    sampler.look()
    sampler.offer(model, 1, X, Y)
    assert sampler.waiting_rows(model) == 1


def test_items_of_a_plugin_are_rows_of_the_version_that_serves(
    registry: Registry, model: str, want: Callable[..., None]
) -> None:
    numbers: list[int | None] = [None, 1]
    items = {model: Items(lambda item: {"size": item, "note": "long"}, lambda: numbers[-1])}
    sampler = Sampler(lambda: registry, is_on=True, items=items)
    want(model)
    sampler.look()
    sampler.offer_items(model, [1, 2], [b"0.5", b'{"price": 1.5}'])
    sampler.offer_items(model, [3], [b'[{"label": "a", "score": 0.9}, {"label": "b", "score": 0.1}]'])
    sampler.offer_items(model, [4], [b"no JSON"])
    numbers.append(None)
    sampler.offer_items(model, [5], [b"1"])
    sampler.flush()
    found = kept(registry, model)
    assert sorted(found["input.size"]) == [1.0, 2.0, 3.0]
    assert sorted(found) == [
        "input.note.length",
        "input.size",
        "output.label.length",
        "output.prediction",
        "output.price",
        "output.score",
    ]


def test_a_thread_writes_what_waits(registry: Registry, model: str, want: Callable[..., None]) -> None:
    want(model)
    sampler = Sampler(lambda: registry, is_on=True)
    sampler.start()
    sampler.start()
    assert [thread.name for thread in threading.enumerate()].count("samples") >= 1
    patience = threading.Event()
    # More rows than wait for half a minute.
    rows = {"x": np.ones((200, 1))}
    try:
        for _ in range(600):
            sampler.offer(model, 1, rows, {})
            if Samples(registry.blobs.share).files(model):
                break
            patience.wait(0.05)
    finally:
        sampler.stop()
        for thread in threading.enumerate():
            if thread.name == "samples":
                thread.join(30)
    assert Samples(registry.blobs.share).files(model)


def test_a_process_that_may_not_asks_nobody(tmp_path: Path) -> None:
    sampler = Sampler(lambda: pytest.fail("asked"), is_on=False)
    sampler.start()
    sampler.look()
    assert sampler.flush() == 0


def test_a_wish_is_for_models_with_versions(registry: Registry, database: Database, want: Callable[..., None]) -> None:
    with pytest.raises(Exception, match="no version of 'other'"):
        want("other")
    assert database.read(choice.read_all) == {}
