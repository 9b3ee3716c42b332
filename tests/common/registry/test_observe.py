"""What is counted of versions and their shadows."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from common.errors import Invalid, Unavailable
from common.registry.choose import Chosen
from common.registry.observe import Shadows, agree, observed, observed_as
from common.registry.versions import Version


def version(model: str, number: int) -> Version:
    return Version(
        model=model,
        number=number,
        artefacts=(),
        metrics={},
        job_id=None,
        data_hash=None,
        author="me",
        code_version="1",
        created_at=datetime.now(UTC),
    )


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    return 0.0 if found is None else found


@pytest.fixture
def model() -> str:
    return f"m{uuid.uuid4().hex}"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "done"), (Invalid("no"), "refused"), (Unavailable("no"), "failed"), (ValueError("no"), "failed")],
)
def test_a_request_is_counted_for_the_version_that_answered(model: str, error: Exception | None, outcome: str) -> None:
    def answer() -> None:
        with observed(version(model, 3)):
            if error is not None:
                raise error

    if error is None:
        answer()
    else:
        with pytest.raises(type(error)):
            answer()
    assert value("atoll_model_version_requests_total", model=model, version="3", outcome=outcome) == 1
    assert value("atoll_model_version_seconds_count", model=model, version="3") == 1


def test_what_a_model_has_of_its_own_is_counted_by_its_name(model: str) -> None:
    with observed_as(model, "box"):
        pass
    assert value("atoll_model_version_requests_total", model=model, version="box", outcome="done") == 1


def show(model: str, ask: Callable[[Version], Any], times: int = 1, at_once: int = 4) -> dict[str, float]:
    async def run() -> None:
        shadows = Shadows(at_once)
        for _ in range(times):
            shadows.show(Chosen(version(model, 1), "default", version(model, 2)), 1.0, ask, lambda a, b: a == b)
        await shadows.join()

    asyncio.run(run())
    return {
        outcome: count
        for outcome in ("same", "different", "failed", "dropped")
        if (count := value("atoll_shadow_answers_total", model=model, version="1", shadow="2", outcome=outcome))
    }


def test_a_shadow_that_agrees_or_not_is_counted(model: str) -> None:
    async def same(asked: Version) -> float:
        return float(asked.number - 1)

    async def different(asked: Version) -> float:
        return float(asked.number)

    assert show(model, same) == {"same": 1}
    assert show(model, different) == {"same": 1, "different": 1}


def test_a_shadow_that_fails_troubles_nobody(model: str) -> None:
    async def fails(asked: Version) -> float:
        raise ZeroDivisionError

    assert show(model, fails) == {"failed": 1}


def test_a_shadow_that_is_too_slow_is_left_out_of_some_requests(model: str) -> None:
    async def slow(asked: Version) -> float:
        await asyncio.sleep(0)
        return 1.0

    assert show(model, slow, times=5, at_once=2) == {"same": 2, "dropped": 3}


def test_without_a_shadow_nothing_is_asked(model: str) -> None:
    async def run() -> None:
        shadows = Shadows()
        shadows.show(Chosen(version(model, 1)), 1.0, lambda _: pytest.fail("asked"), lambda a, b: True)
        await shadows.join()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.array([1, 2], "float32"), np.array([1.0001, 2], "float64"), True),
        (np.array([1, 2], "float32"), np.array([1.1, 2], "float32"), False),
        (np.array([np.nan], "float32"), np.array([np.nan], "float32"), True),
        (np.array([1, 2], "float32"), np.array([[1, 2]], "float32"), False),
        (np.array(["a", "b"]), np.array(["a", "b"]), True),
        (np.array(["a", "b"]), np.array(["a", "c"]), False),
        (np.array([1], "int64"), np.array([2], "int64"), False),
    ],
)
def test_answers_agree_where_nobody_would_mind(one: np.ndarray, other: np.ndarray, same: bool) -> None:
    assert agree({"y": one}, {"y": other}) is same
    assert not agree({"y": one}, {"z": other})
