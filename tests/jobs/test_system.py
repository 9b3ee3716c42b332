"""The kernel put together as a host does it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.app import create_app
from common.clock import FakeClock, new_id
from common.jobs.records import Result
from common.jobs.states import Kind, State
from common.jobs.system import JobSystem
from common.settings import JobSettings, PluginSettings, Settings, StorageSettings
from tests.jobs.kernel import wait_until


@pytest.fixture
def system(tmp_path: Path) -> Iterator[JobSystem]:
    settings = Settings(
        storage=StorageSettings(state_dir=tmp_path),
        plugins=PluginSettings(service_model=("sample",)),
        jobs=JobSettings(tick_s=0.05, drain_s=0, worker_classes=("cpu",)),
    )
    system = JobSystem.build(settings, create_app(settings))
    yield system
    system.stop(0)


def test_a_prediction_is_queued_and_answered_in_the_background(system: JobSystem) -> None:
    system.start_background({"queues", "timers"})
    body = b'{"requiredField": "Atoll"}'
    job = system.service.submit(Kind.PREDICTION, "/sample_model/predict", body, model="sample").job
    wait_until(lambda: system.store.get(job.id).state is State.SUCCEEDED, "the answer")
    assert system.store.result(system.store.get(job.id)) == Result(200, "application/json", b'{"resp1":"Hello Atoll"}')


def test_a_process_polls_what_it_can_run(system: JobSystem) -> None:
    names = system.queue_names()
    assert "prediction-cpu-sample" in names
    assert all(name.endswith("-cpu-sample") for name in names)


def test_a_background_thread_that_ends_is_started_anew(system: JobSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.jobs.system._RESTART_S", 0.01)
    build, failures = system.worker, [RuntimeError("broken"), RuntimeError("broken")]

    def failing() -> object:
        if failures:
            raise failures.pop()
        return build()

    monkeypatch.setattr(system, "worker", failing)
    system.start_background({"queues"})
    job = system.service.submit(Kind.PREDICTION, "/sample_model/predict", b"{}", model="sample").job
    wait_until(lambda: system.store.get(job.id).state is State.FAILED, "the refusal")


def test_roles_decide_what_is_started(system: JobSystem) -> None:
    system.start_background({"http"})
    assert system._threads == []


def test_stopping_what_never_started_is_harmless(system: JobSystem) -> None:
    system.stop(0)


def test_ids_sort_by_the_time_they_were_made_in_and_are_url_safe() -> None:
    clock = FakeClock()
    made = []
    for _ in range(100):
        made.append(new_id(clock))
        clock.advance(0.000001)
    assert made == sorted(set(made))
    assert all(26 <= len(one) <= 32 and one.isalnum() and one.islower() for one in made)


def test_the_environment_is_read_by_the_documented_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "STORAGE", "CONCURRENCY", "PATH"):
        monkeypatch.setenv(name, "nonsense")
    settings = Settings()
    assert (settings.database.url, settings.jobs.storage, settings.plugins.path) == (None, None, ())
