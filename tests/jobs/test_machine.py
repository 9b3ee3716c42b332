"""The kernel under a queue that duplicates, reorders, delays and loses, and calls that fail or only seem to.

Hypothesis chooses what happens. Whatever it was, in the end every job has an end, and an effect happened once for each
that succeeded and for no other.
"""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from common.clock import FakeClock, new_id
from common.database import Database
from common.errors import AtollError, Conflict
from common.jobs import attempt
from common.jobs.context import JobContext
from common.jobs.definitions import JobSummary
from common.jobs.errors import Fenced, JobRefused
from common.jobs.handling import Disposition
from common.jobs.queues.base import Depth, Message
from common.jobs.records import Job, Mark, Outcome, Result
from common.jobs.states import FINISHED, Event, State
from common.orphans import make_folder
from tests.faults import Faulty, InjectedTimeout
from tests.jobs.kernel import Kernel

_template: Path | None = None


class ChaosQueue:
    """Delivers whatever the test picks, whenever it picks it. A deleted message may come again."""

    poll_s = 1.0

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.loses_sends = False

    def send(self, queue: str, job_id: str, delay_s: float = 0.0) -> None:
        if not self.loses_sends:
            self.messages.append((queue, job_id))

    def depth(self, queue: str) -> Depth:
        return Depth(sum(name == queue for name, _ in self.messages))

    def ready(self, queues: Sequence[str]) -> Sequence[str]:
        return queues


def make_template() -> None:
    """A migrated database, to be copied for each example."""
    global _template
    _template = make_folder("atoll-machine-") / "atoll.db"
    database = Database(f"sqlite:///{_template}")
    database.migrate()
    with database.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE effects (job_id TEXT, epoch INTEGER)"))
    database.close()


def migrated(folder: Path) -> Database:
    assert _template is not None
    shutil.copy(_template, folder / "atoll.db")
    return Database(f"sqlite:///{folder / 'atoll.db'}")


class KernelMachine(RuleBasedStateMachine):
    jobs = Bundle("jobs")
    zombies = Bundle("zombies")

    @initialize(seed=st.integers(0, 2**32), rate=st.sampled_from([0.0, 0.1, 0.3]))
    def start(self, seed: int, rate: float) -> None:
        self.folder = make_folder("atoll-machine-")
        self.database = migrated(self.folder)
        self.clock = FakeClock()
        self.chaos = ChaosQueue()
        rng = random.Random(seed)
        self.kernel = Kernel(self.database, self.folder, self.clock, self.chaos, heartbeat_s=1000)  # type: ignore[arg-type]
        self.store = self.kernel.store
        self.faulty_store = Faulty(self.store, rng, before=rate, after=rate)
        self.faulty_queue = Faulty(self.chaos, rng, before=rate, after=rate)
        self.kernel.store, self.kernel.queue = self.faulty_store, self.faulty_queue
        self.kernel.training.work = self.work
        self.kernel.wire()
        self.plan = "succeed"
        self.accepted: set[str] = set()
        self.by_key: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.lists: dict[tuple[Mark, ...], list[JobSummary]] = {}

    def work(self, job: Job, context: JobContext) -> Result:
        context.on_commit(lambda connection: self.effect(connection, job))
        if self.plan == "fail":
            raise ValueError("bad luck")
        if self.plan == "refuse":
            raise JobRefused("no")
        if self.plan == "exit":
            raise SystemExit(1)
        return Result(body=b"1")

    @staticmethod
    def effect(connection: Any, job: Job) -> None:
        connection.execute(sa.text("INSERT INTO effects VALUES (:id, :epoch)"), {"id": job.id, "epoch": job.epoch})

    @rule(target=jobs, key=st.none() | st.sampled_from("abc"), loses=st.booleans())
    def submit(self, key: str | None, loses: bool) -> Any:
        """The caller sees an id, or an error; after an error with a key it would ask again."""
        self.chaos.loses_sends = loses
        try:
            job = self.kernel.submit(idempotency_key=key)
        except (InjectedTimeout, AtollError):
            return multiple()
        finally:
            self.chaos.loses_sends = False
        if key is not None:
            assert self.by_key.setdefault(key, job.id) == job.id
        self.accepted.add(job.id)
        return job.id

    @rule(pick=st.integers(0, 1000), plan=st.sampled_from(["succeed", "fail", "refuse", "exit"]), keep=st.booleans())
    def deliver(self, pick: int, plan: str, keep: bool) -> None:
        """Any message, in any order; with `keep` its deletion is lost."""
        if not self.chaos.messages:
            return
        self.plan = plan
        queue, job_id = message = self.chaos.messages[pick % len(self.chaos.messages)]
        disposition = self.kernel.runner.handle(Message("id", queue, job_id, "", 1))
        if disposition is Disposition.DELETE and not keep:
            self.chaos.messages.remove(message)

    @rule(target=zombies, job=jobs)
    def begin_and_vanish(self, job: str) -> Any:
        """A worker begins and is not heard of for a while, or ever."""
        return self.begin_and_vanish_now(job)

    def begin_and_vanish_now(self, job: str) -> Any:
        begun = self.store.begin_attempt(job, new_id())
        return begun if isinstance(begun, Job) else multiple()

    def take_its_place(self, zombie: Job) -> Any:
        """The scheduler gives a silent attempt up, and another worker begins, and vanishes as well."""
        for seconds in (50.0, 700.0):
            self.clock.advance(seconds)
            self.kernel.scheduler.tick()
        return self.begin_and_vanish_now(zombie.id)

    @rule(zombie=zombies, event=st.sampled_from([Event.SUCCEED, Event.RETRY, Event.REFUSE, Event.INTERRUPT]))
    def come_back(self, zombie: Job, event: Event) -> None:
        """The worker comes back and ends its attempt. If that is not the job's newest one, nothing happens."""
        before = self.store.get(zombie.id)
        if event is Event.RETRY and zombie.attempts >= zombie.max_attempts:
            # As the runner's plan would have it.
            event = Event.EXHAUST
        result = Result(body=b"1") if event is Event.SUCCEED else None
        try:
            self.store.finish(
                zombie.id, zombie.epoch, Outcome(event, "zombie", result), lambda c: self.effect(c, zombie)
            )
        except Fenced:
            assert self.store.get(zombie.id) == before
        else:
            # A repeated end is told again what it was told, and changes nothing.
            assert before.epoch == zombie.epoch or self.store.get(zombie.id) == before

    @rule(target=zombies, job=jobs, event=st.sampled_from([Event.SUCCEED, Event.REFUSE]))
    def be_overtaken(self, job: str, event: Event) -> Any:
        """Three in one, as they seldom come together: a slow worker comes back while another one does its job."""
        first = self.begin_and_vanish_now(job)
        if not isinstance(first, Job):
            return multiple()
        second = self.take_its_place(first)
        self.come_back(first, event)
        return second

    @rule(job=jobs)
    def cancel_while_it_runs(self, job: str) -> None:
        zombie = self.begin_and_vanish_now(job)
        if isinstance(zombie, Job):
            self.come_back_after_cancellation(zombie)

    @rule(zombie=zombies)
    def come_back_after_cancellation(self, zombie: Job) -> None:
        self.cancel(zombie.id)
        self.come_back(zombie, Event.SUCCEED)

    @rule(zombie=zombies)
    def beat(self, zombie: Job) -> None:
        before = self.store.get(zombie.id)
        try:
            self.store.heartbeat(zombie.id, zombie.epoch)
        except Fenced:
            assert before.epoch != zombie.epoch or not before.state.is_active

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        try:
            self.kernel.service.cancel(job)
        except (Conflict, InjectedTimeout):
            return
        assert self.store.get(job).state in (State.CANCELLED, State.CANCELLING)
        self.cancelled.add(job)

    @rule(job=jobs)
    def revive(self, job: str) -> None:
        try:
            self.kernel.service.retry(job)
        except (Conflict, InjectedTimeout):
            return

    @rule(seconds=st.sampled_from([1.0, 15.0, 50.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.kernel.scheduler.tick()

    @rule(seconds=st.sampled_from([-4000.0, -30.0, 30.0, 4000.0]))
    def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @rule()
    def lose_all_messages(self) -> None:
        self.chaos.messages.clear()

    @invariant()
    def effects_are_those_of_succeeded_jobs(self) -> None:
        if not hasattr(self, "database"):
            return
        with self.database.reading() as connection:
            effects = sorted(row[0] for row in connection.execute(sa.text("SELECT job_id FROM effects")))
            done = sorted(row[0] for row in connection.execute(sa.text("SELECT id FROM jobs WHERE state='succeeded'")))
            worn = connection.execute(sa.text("SELECT id FROM jobs WHERE attempts > max_attempts")).all()
            dumb = connection.execute(
                sa.text("SELECT id FROM jobs WHERE state IN ('failed', 'dead') AND error IS NULL")
            ).all()
        assert effects == done
        assert not self.cancelled & set(done)
        assert not worn
        assert not dumb

    @invariant()
    def no_two_states_of_the_list_have_the_same_marks(self) -> None:
        """Or a caller who has an older list would be told that nothing has changed."""
        if not hasattr(self, "database"):
            return
        page = self.store.list(limit=500)
        marks = tuple(self.store.marks(limit=500))
        shown = [JobSummary.of(job) for job in page.jobs]
        assert marks == tuple(page.marks)
        assert self.lists.setdefault(marks, shown) == shown

    def teardown(self) -> None:
        """All faults end; every job that was accepted comes to an end, with nobody's help but the scheduler's."""
        if not hasattr(self, "database"):
            return
        self.faulty_store.heal()
        self.faulty_queue.heal()
        self.plan = "succeed"
        try:
            for _ in range(60):
                self.clock.advance(200)
                self.kernel.scheduler.tick()
                pending, self.chaos.messages = self.chaos.messages, []
                for queue, job_id in pending:
                    self.kernel.runner.handle(Message("id", queue, job_id, "", 1))
                if all(job.state in FINISHED for job in self.store.list(limit=500).jobs):
                    break
            states = {job.id: job.state for job in self.store.list(limit=500).jobs}
            assert set(states) >= self.accepted, "an accepted job is lost"
            assert set(states.values()) <= FINISHED, states
            self.effects_are_those_of_succeeded_jobs()
        finally:
            self.database.close()
            shutil.rmtree(self.folder, ignore_errors=True)


attempt_pause = attempt._FIRST_PAUSE_S
KernelMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Each history takes a quarter of a second: to shorten one that fails would take longer than a test may.
    phases=[Phase.reuse, Phase.generate],
)


class TestKernelUnderFaults(KernelMachine.TestCase):  # type: ignore[misc, valid-type]
    """Retries against injected faults do not sleep."""

    def setUp(self) -> None:  # unittest's name
        attempt._FIRST_PAUSE_S = 0.0
        make_template()

    def tearDown(self) -> None:
        attempt._FIRST_PAUSE_S = attempt_pause
        assert _template is not None
        shutil.rmtree(_template.parent)
