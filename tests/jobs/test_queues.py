"""One suite over all queues: tables on SQLite and PostgreSQL, and Azure's on a real Azurite."""

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import SystemClock
from common.database import Database
from common.errors import SettingsError
from common.jobs.queues import Message, Queue, queue_name
from common.jobs.queues.azure import AzureQueue
from common.jobs.queues.table import TableQueue
from common.jobs.states import Kind
from common.settings import JobSettings, Settings
from tests.jobs.kernel import wait_until

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """A queue of a test's own: all tests of a session share one Azurite."""
    return f"training-test{next(_numbers)}"


@pytest.fixture(params=["sqlite", "postgresql", "azurite"])
def queue(request: pytest.FixtureRequest) -> Iterator[Queue]:
    if request.param == "azurite":
        made = AzureQueue.from_connection_string(request.getfixturevalue("azurite_server"))
        yield made
        made.close()
        return
    database = Database(request.getfixturevalue(f"{request.param}_url"))
    yield TableQueue(database, SystemClock())
    database.close()


def receive_one(queue: Queue, name: str, visibility_s: float = 60) -> Message:
    got: list[Message] = []

    def receive() -> bool:
        got.extend(queue.receive(name, 1, visibility_s))
        return bool(got)

    wait_until(receive, "a message")
    return got[0]


def test_a_message_arrives_with_the_id_of_its_job(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    message = receive_one(queue, name)
    assert (message.queue, message.job_id, message.dequeue_count) == (name, "job-1", 1)


def test_a_queue_that_was_never_sent_to_is_empty(queue: Queue, name: str) -> None:
    assert queue.receive(name, 5, 60) == []
    assert queue.depth(name).length == 0


def test_a_message_that_is_held_is_not_given_to_another(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    receive_one(queue, name)
    assert queue.receive(name, 5, 60) == []


def test_a_message_whose_lease_ends_comes_again(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    first = receive_one(queue, name, visibility_s=1)
    again = receive_one(queue, name)
    assert (again.id, again.dequeue_count) == (first.id, 2)


def test_a_message_that_is_given_back_comes_at_once(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    queue.renew(receive_one(queue, name), 0)
    assert receive_one(queue, name).dequeue_count == 2


def test_a_renewed_message_can_be_deleted(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    renewed = queue.renew(receive_one(queue, name), 60)
    assert renewed is not None
    queue.delete(renewed)
    assert queue.depth(name).length == 0


def test_who_held_a_message_before_can_neither_renew_nor_delete_it(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    first = receive_one(queue, name)
    queue.renew(first, 0)
    receive_one(queue, name)
    assert queue.renew(first, 60) is None
    queue.delete(first)
    assert queue.depth(name).length == 1


def test_deleting_twice_is_harmless(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    message = receive_one(queue, name)
    queue.delete(message)
    queue.delete(message)
    assert queue.renew(message, 60) is None


def test_a_delayed_message_comes_later(queue: Queue, name: str) -> None:
    queue.send(name, "late", delay_s=1)
    queue.send(name, "now")
    assert receive_one(queue, name).job_id == "now"
    assert receive_one(queue, name).job_id == "late"


def test_as_many_come_as_were_asked_for(queue: Queue, name: str) -> None:
    for number in range(5):
        queue.send(name, f"job-{number}")
    assert [message.job_id for message in queue.receive(name, 3, 60)] == ["job-0", "job-1", "job-2"]
    assert len(queue.receive(name, 50, 60)) == 2


def test_two_who_receive_at_once_get_different_messages(queue: Queue, name: str) -> None:
    for number in range(20):
        queue.send(name, f"job-{number}")
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda _: [m.job_id for m in queue.receive(name, 5, 60)], range(8)))
    flat = [job for batch in got for job in batch]
    assert sorted(flat) == sorted(set(flat))


def test_poison_goes_to_a_queue_of_its_own(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    queue.poison(receive_one(queue, name))
    assert queue.depth(name).length == 0
    assert receive_one(queue, f"{name}-poison").job_id == "job-1"


def test_queues_with_messages_are_worth_a_look(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    assert name in queue.ready([name, f"{name}-other"])


def test_sending_wakes_whoever_waits_in_the_same_process(queue: Queue, name: str) -> None:
    queue.send(name, "job-1")
    # Without being woken this would be a test that hangs.
    queue.wait(250)


def test_the_functions_host_finds_base64(azurite_server: str, name: str) -> None:
    queue = AzureQueue.from_connection_string(azurite_server)
    queue.send(name, "job-1")
    with queue._service.get_queue_client(name) as raw:
        assert [message.content for message in raw.peek_messages()] == ["am9iLTE="]
    queue.close()


def test_a_message_larger_than_azure_allows_is_refused_before_it_is_sent(azurite_server: str, name: str) -> None:
    queue = AzureQueue.from_connection_string(azurite_server)
    with pytest.raises(ValueError, match="49152"):
        queue.send(name, "x" * 49153)
    queue.close()


def test_a_wrong_connection_string_is_named_but_not_shown() -> None:
    with pytest.raises(SettingsError, match="AzureWebJobsStorage") as caught:
        AzureQueue.from_connection_string("AccountKey=hunter22")
    assert "hunter22" not in str(caught.value)


def test_without_azure_identity_an_address_alone_does_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "azure.identity", None)
    with pytest.raises(SettingsError, match="azure-identity"):
        AzureQueue.from_uri("https://x.queue.core.windows.net")


@pytest.mark.parametrize(
    ("given_kind", "worker", "services", "expected"),
    [
        (Kind.TRAINING, "train", (), "training-train"),
        (Kind.PREDICTION, "cpu", ("imputation",), "prediction-cpu-imputation"),
        (Kind.PREDICTION, "cpu", ("a", "b"), "prediction-cpu-a-b"),
        (Kind.PREDICTION, "cpu", ("Time_Series",), "prediction-cpu-time-series"),
    ],
)
def test_queues_are_named_by_kind_worker_and_service(
    given_kind: Kind, worker: str, services: tuple[str, ...], expected: str
) -> None:
    assert queue_name(given_kind, worker, services) == expected


@given(st.sampled_from(Kind), st.sampled_from(["cpu", "train"]), st.lists(st.text(), max_size=8))
def test_every_name_is_one_that_azure_takes(kind: Kind, worker: str, services: list[str]) -> None:
    name = queue_name(kind, worker, services) + "-poison"
    assert re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){2,62}", name)


def test_long_names_that_differ_at_the_end_stay_different() -> None:
    assert queue_name(Kind.TRAINING, "cpu", ("x" * 80, "a")) != queue_name(Kind.TRAINING, "cpu", ("x" * 80, "b"))


def test_the_storage_account_decides_which_queues_are_used(azurite_server: str, sqlite_url: str) -> None:
    from common.jobs.system import build_queue

    database = Database(sqlite_url)
    without = build_queue(Settings(jobs=JobSettings()), database, SystemClock())
    using = build_queue(Settings(jobs=JobSettings(AzureWebJobsStorage=azurite_server)), database, SystemClock())
    assert (type(without), type(using)) == (TableQueue, AzureQueue)
    using.close()
    database.close()
