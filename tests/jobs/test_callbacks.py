"""Callers are told that their jobs have ended: at least once, signed, whatever fails on the way."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from common.clock import FakeClock
from common.database import Database
from common.errors import Invalid
from common.http.outbound import Outbound
from common.http.signing import new_secret
from common.jobs.callbacks.sender import FIRST_WAIT_S, LONGEST_WAIT_S
from common.jobs.definitions import JobInfo
from common.jobs.records import Job, Result
from common.jobs.states import Event, State
from common.settings import CallbackSettings
from tests.jobs.calling import HOOK, Calling
from tests.jobs.kernel import wait_until
from tests.support.receiver import Receiver, unused_port

A_DAY_S = 24 * 3600.0


@pytest.fixture
def clock() -> FakeClock:
    """Receivers refuse what was signed long ago by their own clocks."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def make(database: Database, clock: FakeClock, tmp_path: Path) -> Iterator[Callable[..., Calling]]:
    made: list[Calling] = []

    def make(**options: Any) -> Calling:
        made.append(Calling(database, tmp_path, clock, **options))
        return made[-1]

    yield make
    # What is still being sent would ask a database that is gone.
    for kernel in made:
        kernel.callbacks.stop()


@pytest.fixture
def kernel(make: Callable[..., Calling]) -> Calling:
    return make()


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def receive(**options: Any) -> Receiver:
        started.append(Receiver(**options))
        return started[-1]

    yield receive
    for receiver in started:
        receiver.close()


@pytest.fixture
def receiver(receive: Callable[..., Receiver]) -> Receiver:
    return receive()


def rounds(kernel: Calling, clock: FakeClock, seconds: float, every_s: float) -> None:
    for _ in range(round(seconds / every_s)):
        clock.advance(every_s)
        kernel.scheduler.tick()


# What is owed


def _cancel_queued(kernel: Calling, job: Job) -> None:
    kernel.store.request_cancel(job.id)


def _cancel_running(kernel: Calling, job: Job) -> None:
    begun = kernel.begin(job)
    kernel.store.request_cancel(job.id)
    kernel.finish(begun, Event.STOP)


def _expire(kernel: Calling, job: Job) -> None:
    kernel.clock.advance(7200)
    assert [ended.id for ended in kernel.store.expire_waiting()] == [job.id]


def _lose(kernel: Calling, job: Job) -> None:
    kernel.begin(job)
    (beat,) = kernel.store.beats()
    kernel.store.lose(beat)


def _find_lost(kernel: Calling, job: Job) -> None:
    kernel.begin(job)
    kernel.clock.advance(1000)
    kernel.store.begin_attempt(job.id, "worker-2")


ENDS: dict[str, tuple[Callable[[Calling, Job], object], State]] = {
    "succeeded": (lambda kernel, job: kernel.finish(kernel.begin(job)), State.SUCCEEDED),
    "refused": (lambda kernel, job: kernel.finish(kernel.begin(job), Event.REFUSE, error="no"), State.FAILED),
    "used up": (lambda kernel, job: kernel.finish(kernel.begin(job), Event.EXHAUST, error="no"), State.DEAD),
    "expired running": (lambda kernel, job: kernel.finish(kernel.begin(job), Event.EXPIRE), State.FAILED),
    "cancelled queued": (_cancel_queued, State.CANCELLED),
    "cancelled running": (_cancel_running, State.CANCELLED),
    "expired waiting": (_expire, State.FAILED),
    "expired alone": (lambda kernel, job: kernel.store.expire_one(job.id), State.FAILED),
    "poisoned": (lambda kernel, job: kernel.store.exhaust(job.id, "no"), State.DEAD),
    "lost": (_lose, State.DEAD),
    "found lost": (_find_lost, State.DEAD),
}


@pytest.mark.parametrize("way", ENDS)
def test_however_a_job_ends_its_caller_is_owed_one_event(kernel: Calling, way: str) -> None:
    end, state = ENDS[way]
    deadline = kernel.clock.now() + timedelta(hours=1)
    job = kernel.accept(callback_url=HOOK, max_attempts=1, deadline=deadline)
    end(kernel, job)
    ended = kernel.get(job)
    (row,) = kernel.rows(job)
    body = json.loads(row.body)
    assert (ended.state, body["type"], body["data"]["state"]) == (state, f"job.{state}", state)
    assert (row.state, row.attempts, row.url) == ("pending", 0, HOOK)


def test_a_job_without_a_callback_owes_nothing(kernel: Calling) -> None:
    ended = kernel.finish(kernel.begin())
    assert kernel.rows(ended) == []
    assert kernel.callbacks.of(ended) is None


def test_a_job_that_is_tried_again_owes_nothing_yet(kernel: Calling) -> None:
    job = kernel.accept(callback_url=HOOK)
    kernel.finish(kernel.begin(job), Event.RETRY, error="not now")
    assert kernel.rows(job) == []
    assert (kernel.shown(job)["state"], kernel.shown(job)["attempts"]) == ("waiting", 0)


def test_a_job_whose_end_is_not_committed_owes_nothing(kernel: Calling) -> None:
    begun = kernel.begin(kernel.accept(callback_url=HOOK))

    def fail(_: object) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        kernel.finish(begun, within=fail)
    assert kernel.rows(begun) == []


def test_the_event_tells_what_the_job_route_does_and_nothing_of_the_request(kernel: Calling) -> None:
    job = kernel.accept(callback_url=HOOK, body=b'{"secret": "hunter2"}', path="/m?token=hunter2", owner="ann")
    kernel.finish(kernel.begin(job), Event.REFUSE, error="no such country")
    (row,) = kernel.rows(job)
    told = json.loads(row.body)["data"]
    shown = JobInfo.detailed(kernel.get(job), [], None).model_dump(mode="json")
    assert {name: shown[name] for name in told} == told
    assert set(told) == {
        *("id", "kind", "model", "state", "error", "created", "queued", "started", "finished", "links")
    }
    assert "hunter2" not in row.body


def test_old_jobs_are_removed_with_their_callbacks(kernel: Calling, clock: FakeClock) -> None:
    job = kernel.ended()
    clock.advance(40 * A_DAY_S)
    kernel.store.prune()
    assert kernel.rows(job) == []


# Sending


def test_the_process_that_ends_a_job_tells_at_once(kernel: Calling, receiver: Receiver) -> None:
    job = kernel.submit(callback_url=receiver.url)
    kernel.handle_next()
    wait_until(lambda: receiver.received, "the callback")
    assert json.loads(receiver.received[0].body)["data"]["id"] == job.id


def test_the_process_that_accepts_a_cancel_tells_at_once(kernel: Calling, receiver: Receiver) -> None:
    job = kernel.submit(callback_url=receiver.url)
    kernel.service.cancel(job.id)
    wait_until(lambda: receiver.received, "the callback")
    assert json.loads(receiver.received[0].body)["type"] == "job.cancelled"


def test_the_backstop_for_poisoned_messages_tells_at_once(kernel: Calling, receiver: Receiver) -> None:
    kernel.runner.handle_poison(kernel.accept(callback_url=receiver.url).id)
    wait_until(lambda: receiver.received, "the callback")
    assert json.loads(receiver.received[0].body)["type"] == "job.dead"


def test_a_round_of_the_scheduler_sends_what_is_left_over(kernel: Calling, receiver: Receiver) -> None:
    job = kernel.ended(receiver.url)
    kernel.scheduler.tick()
    assert len(receiver.received) == 1
    shown = kernel.shown(job)
    assert (shown["state"], shown["attempts"], shown["next_at"]) == ("delivered", 1, None)
    assert shown["delivered_at"] == kernel.clock.now()
    kernel.scheduler.tick()
    assert len(receiver.received) == 1


def test_a_receiver_can_verify_what_it_gets(kernel: Calling, receiver: Receiver) -> None:
    job = kernel.ended(receiver.url)
    kernel.scheduler.tick()
    (received,) = receiver.received
    (secret,) = kernel.callbacks.secrets()
    assert Webhook(secret).verify(received.body, received.headers)["data"]["id"] == job.id
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == kernel.shown(job)["id"]


def test_it_goes_by_https_to_a_server_that_proves_its_name(
    make: Callable[..., Calling], receive: Callable[..., Receiver]
) -> None:
    receiver = receive(names=("hooks.example",))
    allow = CallbackSettings(allow=("127.0.0.1",)).allowance
    to_loopback = lambda host, port: [ip_address("127.0.0.1")]  # noqa: E731
    kernel = make(outbound=Outbound(allow, tls=receiver.trust, resolve=to_loopback))
    job = kernel.ended(receiver.url)
    kernel.scheduler.tick()
    assert (len(receiver.received), kernel.shown(job)["state"]) == (1, "delivered")


def test_a_receiver_that_fails_is_tried_again_with_the_same_id(
    kernel: Calling, clock: FakeClock, receive: Callable[..., Receiver]
) -> None:
    receiver = receive(script=[500, 404, 204])
    job = kernel.ended(receiver.url)
    kernel.scheduler.tick()
    shown = kernel.shown(job)
    assert (shown["state"], shown["attempts"], shown["last_error"]) == ("pending", 1, "answered 500")
    assert clock.now() < shown["next_at"] <= clock.now() + timedelta(seconds=FIRST_WAIT_S)
    rounds(kernel, clock, 60, 5)
    shown = kernel.shown(job)
    assert (shown["state"], shown["attempts"], shown["last_error"]) == ("delivered", 3, None)
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
    assert len({received.headers["webhook-timestamp"] for received in receiver.received}) == 3
    assert len({received.body for received in receiver.received}) == 1


def test_a_receiver_that_never_answers_well_is_given_up_and_that_is_seen(
    make: Callable[..., Calling], clock: FakeClock, receive: Callable[..., Receiver]
) -> None:
    kernel, receiver = make(callback={"attempts": 3}), receive(script=[503])
    job = kernel.ended(receiver.url)
    rounds(kernel, clock, 300, 15)
    shown = kernel.shown(job)
    assert (shown["state"], shown["attempts"], shown["next_at"]) == ("given_up", 3, None)
    assert shown["last_error"] == "answered 503"
    assert len(receiver.received) == 3


def test_the_tries_take_about_a_day(kernel: Calling, clock: FakeClock) -> None:
    job = kernel.ended(f"http://127.0.0.1:{unused_port()}/")
    began = clock.now()
    while (shown := kernel.shown(job))["state"] == "pending":
        clock.jump(max(0.0, (shown["next_at"] - clock.now()).total_seconds()))
        kernel.callbacks.sweep(60)
    assert (shown["state"], shown["attempts"]) == ("given_up", 20)
    assert "cannot connect" in shown["last_error"]
    assert 0.5 * A_DAY_S < (clock.now() - began).total_seconds() < 1.5 * A_DAY_S


def test_a_receiver_that_says_gone_is_not_called_again(
    kernel: Calling, clock: FakeClock, receive: Callable[..., Receiver]
) -> None:
    receiver = receive(script=[410])
    job = kernel.ended(receiver.url)
    rounds(kernel, clock, 120, 15)
    assert (kernel.shown(job)["state"], len(receiver.received)) == ("given_up", 1)


@pytest.mark.parametrize(("retry_after", "at_least_s"), [("3600", 3600.0), ("99999999999", LONGEST_WAIT_S)])
def test_a_receiver_that_asks_for_time_gets_it(
    kernel: Calling, clock: FakeClock, receive: Callable[..., Receiver], retry_after: str, at_least_s: float
) -> None:
    receiver = receive(script=[429], headers={"Retry-After": retry_after})
    job = kernel.ended(receiver.url)
    kernel.scheduler.tick()
    assert kernel.shown(job)["next_at"] == clock.now() + timedelta(seconds=at_least_s)


def test_a_redirect_to_a_private_address_is_not_followed(kernel: Calling, receive: Callable[..., Receiver]) -> None:
    private = receive()
    receiver = receive(script=[302], headers={"Location": private.url})
    job = kernel.ended(receiver.url)
    kernel.scheduler.tick()
    assert private.received == []
    assert kernel.shown(job)["last_error"] == "answered 302; redirects are not followed"


def test_a_receiver_that_hangs_counts_as_one_that_fails(
    make: Callable[..., Calling], receive: Callable[..., Receiver]
) -> None:
    released = threading.Event()
    receiver = receive(answer=lambda handler, request: released.wait(60))
    kernel = make(callback={"timeout_s": 0.2})
    job = kernel.ended(receiver.url)
    kernel.callbacks.sweep(60)
    released.set()
    assert kernel.shown(job)["last_error"] == "no answer within 0.2 s"


def test_a_name_that_leads_to_this_machine_is_not_called(
    make: Callable[..., Calling], receive: Callable[..., Receiver]
) -> None:
    receiver = receive(names=("hooks.example",))
    kernel = make(outbound=Outbound(tls=receiver.trust, resolve=lambda host, port: [ip_address("127.0.0.1")]))
    job = kernel.ended(receiver.url)
    kernel.scheduler.tick()
    shown = kernel.shown(job)
    assert receiver.received == []
    assert shown["last_error"].startswith("not sent: the address leads to a private address")


def test_a_receiver_that_hangs_keeps_no_other_waiting(kernel: Calling, receive: Callable[..., Receiver]) -> None:
    released = threading.Event()
    slow = receive(answer=lambda handler, request: released.wait(60))
    quick = receive()
    for _ in range(20):
        kernel.ended(slow.url)
    # The last to be due; by another name, since it is the host that is spared.
    kernel.clock.advance(1)
    job = kernel.ended(f"http://localhost:{quick.port}/")
    sweeping = ThreadPoolExecutor(1).submit(kernel.callbacks.sweep, 60)
    wait_until(lambda: kernel.shown(job)["state"] == "delivered", "the other receiver's callback")
    kernel.callbacks.stop(0)
    released.set()
    sweeping.result()


def test_a_job_that_is_run_again_tells_again(kernel: Calling, receiver: Receiver) -> None:
    job = kernel.submit(callback_url=receiver.url)
    kernel.finish(kernel.begin(job), Event.REFUSE, error="no")
    kernel.scheduler.tick()
    kernel.service.retry(job.id)
    assert kernel.shown(job)["state"] == "waiting"
    kernel.finish(kernel.begin(kernel.get(job), "worker-2"), result=Result(body=b"1"))
    kernel.scheduler.tick()
    told = [json.loads(received.body)["type"] for received in receiver.received]
    assert told == ["job.failed", "job.succeeded"]
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 2
    assert kernel.shown(job)["id"] == receiver.received[1].headers["webhook-id"]


# Several processes


def test_several_processes_that_send_at_once_send_each_event_once(kernel: Calling, receiver: Receiver) -> None:
    jobs = [kernel.ended(receiver.url) for _ in range(30)]
    senders = [kernel.another_sender() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda sender: sender.sweep(60), senders))
    assert Counter(r.headers["webhook-id"] for r in receiver.received) == {kernel.shown(job)["id"]: 1 for job in jobs}


def test_what_a_vanished_process_was_sending_is_sent_when_its_claim_is_over(
    kernel: Calling, clock: FakeClock, receiver: Receiver
) -> None:
    job = kernel.ended(receiver.url)
    assert kernel.callbacks.outbox.claim() is not None
    kernel.scheduler.tick()
    assert receiver.received == []
    rounds(kernel, clock, 60, 15)
    assert (len(receiver.received), kernel.shown(job)["attempts"]) == (1, 2)


def test_a_process_that_comes_back_late_cannot_change_what_another_one_did(kernel: Calling, clock: FakeClock) -> None:
    job = kernel.ended()
    outbox = kernel.callbacks.outbox
    first = outbox.claim()
    clock.advance(600)
    second = outbox.claim()
    assert first is not None
    assert second is not None
    assert outbox.delivered(second)
    assert not outbox.failed(first, "late", 1)
    assert not outbox.given_up(first, "late")
    assert kernel.shown(job)["state"] == "delivered"


def test_processes_that_always_vanish_do_not_send_for_ever(make: Callable[..., Calling], clock: FakeClock) -> None:
    kernel = make(callback={"attempts": 2})
    job = kernel.ended()
    for _ in range(3):
        kernel.callbacks.outbox.claim()
        clock.advance(600)
    shown = kernel.shown(job)
    assert (shown["state"], shown["attempts"]) == ("given_up", 2)
    assert shown["last_error"] == "the process that sent it vanished"


def test_a_clock_that_is_set_back_delays_no_callback(kernel: Calling, clock: FakeClock, receiver: Receiver) -> None:
    kernel.ended(receiver.url)
    clock.jump(-30 * A_DAY_S)
    kernel.scheduler.tick()
    assert len(receiver.received) == 1


def test_a_process_that_stops_sends_what_is_due_and_then_nothing(kernel: Calling, receiver: Receiver) -> None:
    kernel.ended(receiver.url)
    kernel.callbacks.wake()
    kernel.callbacks.stop(60)
    assert len(receiver.received) == 1
    kernel.ended(receiver.url)
    kernel.callbacks.sweep(60)
    assert len(receiver.received) == 1


# Secrets and addresses


def test_all_processes_agree_on_the_secret_that_is_made(kernel: Calling) -> None:
    senders = [kernel.another_sender() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda sender: sender.secrets(), senders))
    assert made == {kernel.callbacks.secrets()}


def test_while_the_secret_is_changed_receivers_may_know_either(
    make: Callable[..., Calling], receiver: Receiver
) -> None:
    old, new = new_secret(), new_secret()
    kernel = make(callback={"secret": f"{new}, {old}"})
    kernel.ended(receiver.url)
    kernel.scheduler.tick()
    (received,) = receiver.received
    assert all(Webhook(secret).verify(received.body, received.headers) for secret in (old, new))


def test_what_is_secret_in_an_address_is_not_shown(kernel: Calling) -> None:
    job = kernel.ended("https://user:hunter2@hooks.example:8443/a/b?token=hunter2#hunter2")
    assert kernel.shown(job)["url"] == "https://***@hooks.example:8443/a/b?***"


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/", "https://10.0.0.1/", "https://[::1]/?token=hunter2", "nonsense", "https://[hunter2"],
)
def test_an_address_that_could_never_be_called_is_refused_with_the_job(kernel: Calling, url: str) -> None:
    kernel.service = make_strict(kernel)
    with pytest.raises(Invalid, match=r"X-Callback-Url: ") as refused:
        kernel.submit(callback_url=url)
    (wrong,) = refused.value.errors
    assert wrong.field == "header.X-Callback-Url"
    assert "hunter2" not in f"{wrong.value} {wrong.message} {refused.value.detail}"
    assert kernel.store.counts() == {}


def make_strict(kernel: Calling) -> Any:
    """A service that allows no exceptions."""
    kernel.callback_settings = CallbackSettings()
    kernel.wire()
    return kernel.service
