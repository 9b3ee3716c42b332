"""What must hold in the end, whatever was killed. Pure: facts in, violations out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from common.jobs.states import RULES, Event, State

FINAL = frozenset({"succeeded", "failed", "cancelled", "dead"})


@dataclass
class Submitted:
    """A job as its client knows it.

    Attributes
    ----------
    token : its idempotency key too.
    expects : the state in which it ends when nobody cancels it: `succeeded`, or for those that go wrong as told
        `failed` or `dead`. What should succeed may be `dead` when its attempts were used up by kills.
    ids : of all answers to this key; more than one is a violation.
    cancelled : whether the cancellation was acknowledged.
    seen : the end that the client saw first.
    searched : seed of its search; equal seeds publish equal results.
    """

    token: str
    kind: str
    expects: str = "succeeded"
    size_bytes: int = 0
    searched: int | None = None
    ids: set[str] = field(default_factory=set)
    cancelled: bool = False
    seen: str | None = None

    @property
    def id(self) -> str | None:
        return next(iter(self.ids), None)


@dataclass(frozen=True)
class Record:
    id: str
    kind: str
    state: str
    error: str | None
    attempts: int
    is_helper: bool = False


@dataclass(frozen=True)
class Change:
    """A change of a job's state, as a trigger wrote it down."""

    job_id: str
    epoch: int
    old: str
    new: str


@dataclass(frozen=True)
class VersionRow:
    number: int
    job_id: str | None


@dataclass
class Facts:
    """What the database says. `attempts`: outcome and error by job and epoch."""

    records: Mapping[str, Record]
    changes: Sequence[Change]
    versions: Sequence[VersionRow]
    attempts: Mapping[tuple[str, int], tuple[str | None, str | None]]


def lost_jobs(submitted: Iterable[Submitted], facts: Facts) -> list[str]:
    """Accepted jobs without a record, or without an end."""
    found = []
    for job in submitted:
        for job_id in sorted(job.ids):
            record = facts.records.get(job_id)
            if record is None:
                found.append(f"{job_id} was accepted and has no record")
            elif record.state not in FINAL:
                found.append(f"{job_id} was accepted and is {record.state} in the end")
    return found


def keys_doubled(submitted: Iterable[Submitted]) -> list[str]:
    """Idempotency keys that gave more than one job."""
    return [f"key {job.token} gave {len(job.ids)} jobs" for job in submitted if len(job.ids) > 1]


def silent_deaths(facts: Facts) -> list[str]:
    """Jobs that went wrong and do not say why, and attempts that ended otherwise than well and do not say why."""
    found = [
        f"{record.id} is {record.state} without an error"
        for record in facts.records.values()
        if record.state in ("failed", "dead") and not (record.error or "").strip()
    ]
    for (job_id, epoch), (outcome, error) in facts.attempts.items():
        if outcome is None:
            if facts.records[job_id].state in FINAL:
                found.append(f"attempt {epoch} of {job_id} never ended")
        elif outcome not in ("succeed", "stop") and not (error or "").strip():
            found.append(f"attempt {epoch} of {job_id} ended by {outcome} without an error")
    return found


def effects_doubled(submitted: Iterable[Submitted], facts: Facts) -> list[str]:
    """Jobs that succeeded more than once, versions more than one a job, versions of jobs that did not succeed."""
    ends = Counter(change.job_id for change in facts.changes if change.new == "succeeded")
    found = [f"{job_id} succeeded {times} times" for job_id, times in ends.items() if times > 1]
    made = Counter(version.job_id for version in facts.versions)
    for job_id, times in made.items():
        record = facts.records.get(job_id or "")
        if times > 1:
            found.append(f"{job_id} has {times} versions")
        if record is None or record.state != "succeeded" or record.is_helper:
            found.append(f"a version is of {job_id}, which is {record.state if record else 'unknown'}")
    cancelled = [job for job in submitted if job.cancelled and job.id in facts.records]
    found += [
        f"{job.id} was cancelled, and is {facts.records[job.id or ''].state}"
        for job in cancelled
        if facts.records[job.id or ""].state != "cancelled"
    ]
    return found


def effects_missing(facts: Facts) -> list[str]:
    """Succeeded trainings without a version, and numbers that were left out."""
    made = {version.job_id for version in facts.versions}
    found = [
        f"{record.id} succeeded and has no version"
        for record in facts.records.values()
        if record.kind == "training" and record.state == "succeeded" and not record.is_helper and record.id not in made
    ]
    numbers = [version.number for version in facts.versions]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"version numbers have gaps: {numbers[:10]}… up to {numbers[-1]}, {len(numbers)} in all")
    return found


def wrong_ends(submitted: Iterable[Submitted], facts: Facts) -> list[str]:
    """Ends that nobody asked for, or that changed after a client had seen them."""
    found = []
    for job in submitted:
        record = facts.records.get(job.id or "")
        if record is None or record.state not in FINAL:
            continue
        if job.seen is not None and job.seen != record.state:
            found.append(f"{record.id} was seen {job.seen}, and is {record.state}")
        allowed = {job.expects, "dead"} | ({"cancelled"} if job.cancelled or job.seen == "cancelled" else set())
        if record.state not in allowed:
            found.append(f"{record.id} is {record.state} ({record.error}), not {job.expects}")
    return found


def illegal_changes(facts: Facts) -> list[str]:
    """Changes of state that the kernel's table does not know, and epochs that went back."""
    legal = {(old, new) for old, events in RULES.items() for event, new in events.items() if event is not Event.REVIVE}
    found = []
    epochs: dict[str, int] = defaultdict(int)
    for change in facts.changes:
        if change.new == "deleted":
            found.append(f"the record of {change.job_id} was deleted")
            continue
        if (State(change.old), State(change.new)) not in legal:
            found.append(f"{change.job_id} went from {change.old} to {change.new}")
        if change.epoch < epochs[change.job_id]:
            found.append(f"{change.job_id} went back to epoch {change.epoch}")
        epochs[change.job_id] = change.epoch
    return found


def unequal_results(published: Mapping[int, Mapping[str, bytes]]) -> list[str]:
    """Searches with the same seed that found different values: an interrupted one has to find what another finds.

    Parameters
    ----------
    published : by seed, what each search published, by job.
    """
    return [
        f"searches with seed {seed} found {len(set(found.values()))} different answers: {', '.join(sorted(found))}"
        for seed, found in published.items()
        if len(set(found.values())) > 1
    ]


def too_slow(waits_s: Iterable[float], limit_s: float, what: str) -> list[str]:
    """Jobs that waited longer than they may."""
    return [f"a job's worker was lost, and {what} after {waited:.1f} s" for waited in waits_s if waited > limit_s]
