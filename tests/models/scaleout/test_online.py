"""The listener is answered in time whatever happens, and no event is lost."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.exc import DataError

from models.scaleout.late import Late
from models.scaleout.system import ScaleoutSystem, system_for
from tests.models.scaleout.payloads import PATIENT, T0_MS, application_start, job_end
from tests.support.clients import Client, connected, until
from tests.support.plugins import make_app

UPDATE, ONLINE = "/training/update_information", "/prediction/online_scale_out_prediction"
PLAN = {"scale_out": 6, "scale_outs": [[1, 6], [2, 6]], "runtimes_s": [[1, 9.5], [2, 8.0]], "model": "of this test"}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return make_app(tmp_path / "state", serve=("scaleout",))


@pytest.fixture
def system(app: FastAPI) -> ScaleoutSystem:
    return system_for(app.state.runtime)


def ended(run: str = "a", job: int = 0, **more: Any) -> dict[str, Any]:
    return {**job_end(run, job, start_ms=T0_MS, end_ms=T0_MS + 9000), "predict": True, **more}


class MockPlanner:
    """Plans what it is told to, once it may."""

    def __init__(self, work: Callable[[], Mapping[str, Any] | None]) -> None:
        self.work = work

    def plan(self, execution_id: str, last: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        return self.work()


@pytest.fixture
def held() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def answered_late(held: threading.Event) -> None:
    """No plan, and not before the test lets go."""
    held.wait(60)


def test_the_last_plan_answers_where_a_new_one_takes_too_long(
    app: FastAPI, system: ScaleoutSystem, held: threading.Event
) -> None:
    client = Client(app)
    system._planner = MockPlanner(lambda: PLAN)  # type: ignore[assignment]
    assert client.post(ONLINE, json=ended(), headers=PATIENT).headers["x-plan"] == "new"
    system._planner = MockPlanner(lambda: answered_late(held))  # type: ignore[assignment]
    answer = client.post(ONLINE, json=ended(job=1), headers={"X-Rest-Timeout": "0.2"})
    assert (answer.status_code, answer.headers["x-plan"]) == (200, "last")
    assert answer.json() == {
        "best_predicted_scale_out_per_job": [[1, 6], [2, 6]],
        "best_predicted_runtime_per_job": [[1, 9.5], [2, 8.0]],
    }
    assert [job.job_id for job in system.store.get("a").jobs] == [0, 1]


def test_the_time_out_of_the_submission_holds_for_its_run(
    app: FastAPI, system: ScaleoutSystem, held: threading.Event
) -> None:
    system.store.update("a", {"rest_timeout_s": 0.2})
    system._planner = MockPlanner(lambda: answered_late(held))  # type: ignore[assignment]
    answer = Client(app).post(ONLINE, json=ended())
    assert (answer.status_code, answer.headers["x-plan"]) == (200, "none")


def test_the_last_plan_answers_where_a_model_fails(app: FastAPI, system: ScaleoutSystem) -> None:
    client = Client(app)
    system._planner = MockPlanner(lambda: PLAN)  # type: ignore[assignment]
    client.post(ONLINE, json=ended(), headers=PATIENT)
    system._planner = MockPlanner(lambda: 1 / 0)  # type: ignore[assignment, arg-type, return-value]
    assert client.post(ONLINE, json=ended(job=1), headers=PATIENT).headers["x-plan"] == "last"


def test_the_last_plan_is_known_to_a_process_that_did_not_make_it(
    app: FastAPI, system: ScaleoutSystem, tmp_path: Path
) -> None:
    system._planner = MockPlanner(lambda: PLAN)  # type: ignore[assignment]
    Client(app).post(ONLINE, json=ended(), headers=PATIENT)
    other = make_app(tmp_path / "state", serve=("scaleout",))
    system_for(other.state.runtime)._planner = MockPlanner(lambda: None)  # type: ignore[assignment]
    answer = Client(other).post(ONLINE, json=ended(job=1), headers=PATIENT)
    assert (answer.headers["x-plan"], answer.json()["best_predicted_scale_out_per_job"]) == ("last", [[1, 6], [2, 6]])


def test_plans_that_take_long_hold_up_no_event(app: FastAPI, system: ScaleoutSystem, held: threading.Event) -> None:
    system._planner = MockPlanner(lambda: answered_late(held))  # type: ignore[assignment]
    assert system.store

    async def ask() -> list[httpx.Response]:
        async with connected(app) as client:
            long = {"X-Rest-Timeout": "100"}
            waiting = [asyncio.create_task(client.post(ONLINE, json=ended(f"run{n}"), headers=long)) for n in range(6)]
            await until(lambda: len(system.online._under_way) == 6)
            recorded = await client.post(UPDATE, json=application_start("another"))
            assert not any(task.done() for task in waiting)
            held.set()
            return [recorded, *await asyncio.gather(*waiting)]

    assert [answer.status_code for answer in asyncio.run(ask())] == [200] * 7


def test_where_too_many_wait_for_plans_the_last_one_answers_at_once(
    app: FastAPI, system: ScaleoutSystem, held: threading.Event
) -> None:
    system._planner = MockPlanner(lambda: answered_late(held))  # type: ignore[assignment]
    assert system.store

    async def ask() -> httpx.Response:
        async with connected(app) as client:
            long = {"X-Rest-Timeout": "100"}
            waiting = [asyncio.create_task(client.post(ONLINE, json=ended(f"run{n}"), headers=long)) for n in range(16)]
            await until(lambda: len(system.online._under_way) == 16)
            found = await client.post(ONLINE, json=ended("one more"), headers=long)
            held.set()
            await asyncio.gather(*waiting)
            return found

    assert asyncio.run(ask()).headers["x-plan"] == "none"


def test_an_event_is_kept_while_the_database_is_away_and_told_to_it_later(
    app: FastAPI, system: ScaleoutSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = sa.exc.OperationalError("", None, Exception("away"))
    client, store = Client(app), system.store

    def fail(*_: object) -> None:
        raise away

    with monkeypatch.context() as broken:
        broken.setattr(store, "update", fail)
        # It would try again by itself.
        broken.setattr(system.late, "begin", lambda: None)
        assert client.post(UPDATE, json=application_start("a")).json()["is_late"] is True
        answer = client.post(ONLINE, json=ended())
        assert (answer.status_code, answer.headers["x-plan"]) == (200, "none")
    assert store.find("a") is None
    assert system.late.tell_all()
    found = store.get("a")
    assert (found.start_s, [job.job_id for job in found.jobs]) == (T0_MS / 1000, [0])


def test_what_waits_is_told_by_the_next_process(tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("away")

    first = Late(tmp_path, refuse)
    first._is_running = True  # so that it does not try again by itself
    for number in range(3):
        first.keep(f"run{number}", {"start_s": number}, [])
    assert not first.tell_all()
    told: list[Any] = []
    second = Late(tmp_path, lambda *event: told.append(event))
    assert second.tell_all()
    assert told == [(f"run{number}", {"start_s": number}, []) for number in range(3)]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_damaged_keeps_nothing_else_from_being_told(tmp_path: Path) -> None:
    told: list[Any] = []
    late = Late(tmp_path, lambda *event: told.append(event))
    (tmp_path / "0.json").write_bytes(b"cut sh")
    (tmp_path / "1.json").write_bytes(b'["a",{},[]]')
    assert late.tell_all()
    assert told == [("a", {}, [])]
    assert [path.name for path in tmp_path.iterdir()] == ["0.broken"]


def test_an_event_that_is_always_refused_is_set_aside_and_keeps_nothing_else_from_being_told(tmp_path: Path) -> None:
    told: list[str] = []

    def tell(execution_id: str, *_: object) -> None:
        if execution_id == "bad":
            raise DataError("INSERT", {}, ValueError("out of range"))
        told.append(execution_id)

    late = Late(tmp_path, tell)
    (tmp_path / "0.json").write_bytes(b'["bad",{},[]]')
    (tmp_path / "1.json").write_bytes(b'["good",{},[]]')
    assert late.tell_all()
    assert told == ["good"]
    assert [path.name for path in tmp_path.iterdir()] == ["0.refused"]


def test_listeners_that_race_lose_no_event(app: FastAPI, system: ScaleoutSystem) -> None:
    async def ask() -> list[int]:
        async with connected(app) as client:
            answers = await asyncio.gather(
                *(client.post(UPDATE, json=job_end("a", n, start_ms=T0_MS, end_ms=T0_MS + n)) for n in range(20)),
                *(client.post(UPDATE, json=application_start("a")) for _ in range(5)),
            )
            return [answer.status_code for answer in answers]

    assert asyncio.run(ask()) == [200] * 25
    assert [job.job_id for job in system.store.get("a").jobs] == list(range(20))


def test_a_model_that_was_asked_for_is_loaded_by_the_other_processes(
    app: FastAPI, system: ScaleoutSystem, tmp_path: Path
) -> None:
    other = system_for(make_app(tmp_path / "state", serve=("scaleout",)).state.runtime)
    other.preloads.follow()
    assert other.preloads._loaded == {}
    assert Client(app).get("/prediction/preload/gbt").status_code == 200
    other.preloads.follow()
    assert other.preloads._loaded == {"gbt": 1}
