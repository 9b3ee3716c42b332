"""One campaign over one kind of backend: start everything, do the plan, wait for all ends, count."""

import contextlib
import json
import math
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import httpx
import psycopg

from common.database import Database
from tests.campaign import audit, checks, clock, ledger
from tests.campaign.faults import Ground
from tests.campaign.load import Load, read_results
from tests.campaign.plan import plan
from tests.campaign.proxy import Proxy
from tests.campaign.share import small_share
from tests.campaign.site import Site, build
from tests.support.backends import AzuriteServer, PostgresServer
from tests.support.servers import free_port

Say = Callable[[str], None]

# No job waits longer than this for another worker, with any settings.
LIMIT_S = 60.0
# A message that was lost with its queue is found out after a minute, and the jobs' own retries take some seconds.
_DRAIN_S = 300.0
SHORT = {
    "JOB_HEARTBEAT_S": "0.5",
    "JOB_STALL_S": "3",
    "JOB_TICK_S": "1",
    "JOB_RETRY_S": "0.2",
    "JOB_RETRY_MAX_S": "3",
    "JOB_LEASE_S": "10",
    "JOB_ATTEMPTS": "6",
    "JOB_DRAIN_S": "3",
    "JOB_CANCEL_GRACE_S": "5",
}
# What people run with. Only the attempts are more, since a campaign kills without a pause.
DEFAULTS = {"JOB_ATTEMPTS": "6"}


@dataclass
class Options:
    """What was asked for on the command line."""

    kills: int
    seed: int
    backend: str
    minutes: float
    workers: int = 3
    settings: dict[str, str] = field(default_factory=lambda: dict(SHORT))
    with_faults: bool = True
    keep: bool = False

    @property
    def stall_s(self) -> float:
        return float(self.settings.get("JOB_STALL_S", "40"))


@dataclass
class Outcome:
    """What a campaign found. `violations`: texts by the promise that was broken."""

    backend: str
    options: Options
    took_s: float = 0.0
    quiet_s: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    noticed_s: list[float] = field(default_factory=list)
    recovery_s: list[float] = field(default_factory=list)
    restarts: int = 0
    ends: list[str] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    violations: dict[str, list[str]] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def is_good(self) -> bool:
        return not any(self.violations.values())


@dataclass
class Run:
    """What is under way."""

    ground: Ground
    load: Load
    database: Database
    watch: audit.Watch


def campaign(options: Options, say: Say) -> Outcome:
    """Run it. Raises `Missing` where a server is not installed."""
    outcome = Outcome(options.backend, options)
    folder = Path(tempfile.mkdtemp(prefix="atoll-campaign-"))
    outcome.folder = folder
    began_s = time.monotonic()
    try:
        with _started(options, folder, outcome) as run:
            say(f"{options.backend}: state and logs in {folder}")
            _do(options, run, outcome, say)
            _finish(options, run, outcome, say)
    finally:
        outcome.took_s = time.monotonic() - began_s
        if outcome.is_good and outcome.violations and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
            outcome.folder = None
    return outcome


@contextlib.contextmanager
def _started(options: Options, folder: Path, outcome: Outcome) -> Iterator["Run"]:
    """Servers, database, share, processes and clients, all started; and ended afterwards."""
    rng = random.Random(options.seed)
    (folder / "arms").mkdir()
    with contextlib.ExitStack() as stack:
        share = stack.enter_context(small_share(folder / "share"))
        if share is None:
            outcome.skipped.append("disk full: a small file system cannot be mounted here (it takes root)")
        clocks = clock.build(folder)
        if clocks is None:
            outcome.skipped.append("clocks that jump: no C compiler (cc) to build what moves them")
        settings = dict(options.settings) | {"FILE_SHARE": str(folder / "share"), "JOB_WORKERS": "cpu"}
        settings |= {"LOG_FORMAT": "console"}
        server: PostgresServer | None = None
        queues: AzuriteServer | None = None
        queue_proxy: Proxy | None = None
        proxies: list[Proxy] = []
        url = f"sqlite:///{folder / 'atoll.db'}"
        if options.backend == "azurite-postgres":
            # As installed: its durability is part of what is tried.
            server = PostgresServer(())
            stack.callback(server.close)
            server.start()
            with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE campaign")
            url = f"{server.url}/campaign"
            queues = AzuriteServer()
            stack.callback(queues.close)
            queues.start()
            proxies = [Proxy(server.port) for _ in range(options.workers + 1)]
            queue_proxy = Proxy(queues.port)
            for proxy in (*proxies, queue_proxy):
                proxy.start()
                stack.callback(proxy.close)
            settings["DATABASE_URL"] = "postgresql://atoll@127.0.0.1:{port}/campaign"
            settings["AzureWebJobsStorage"] = queues.connection_string_at(queue_proxy.port)
        else:
            settings["DATABASE_URL"] = url
        database = Database(url)
        stack.callback(database.close)
        database.migrate()
        audit.install(database)
        port = free_port()
        site = build(folder, settings, options.workers, port, proxies, clocks)
        # Whatever happens, no process is left behind.
        stack.callback(site.stop)
        site.start()
        load = Load(f"http://127.0.0.1:{port}", random.Random(rng.random()))
        stack.callback(load.close)
        ground = Ground(site, folder, rng, options.stall_s, server, queues, queue_proxy, share, clocks is not None)
        watch = audit.Watch(database)
        stack.callback(watch.close)
        watch.start()
        load.start()
        yield Run(ground, load, database, watch)


def _do(options: Options, run: Run, outcome: Outcome, say: Say) -> None:
    ground, load = run.ground, run.load
    faults = ground.faults() if options.with_faults else {}
    steps = plan(options.kills, sorted(faults), random.Random(options.seed))
    began_s = time.monotonic()
    until_s = began_s + options.minutes * 60
    _wait_for(lambda: len(load.jobs) > 2, "the first jobs to be accepted", 90)
    beside: threading.Thread | None = None
    for number, step in enumerate(steps, start=1):
        if time.monotonic() > until_s:
            outcome.skipped.append(f"{options.kills - number + 1} of {options.kills} kills: the time was over")
            break
        if step.fault is not None:
            if beside is not None:
                beside.join()
            beside = threading.Thread(target=_begin, args=(faults[step.fault], step.fault, outcome), daemon=True)
            beside.start()
        time.sleep(step.pause_s)
        killed = _kill(ground, step.kill)
        outcome.kills[killed] += 1
        jobs = len(load.jobs)
        say(
            f"{time.monotonic() - began_s:6.0f} s {number:4d}/{options.kills}  killed {killed:<32}"
            f"{'beside: ' + step.fault if step.fault else '':<40}accepted {jobs}, open {len(load.open())}"
        )
    if beside is not None:
        beside.join()


def _kill(ground: Ground, who: str) -> str:
    """Kill what the plan names; where it is not there right now, the next best, until something was killed."""
    until_s = time.monotonic() + LIMIT_S
    while time.monotonic() < until_s:
        killed = ground.kill(who)
        if killed is not None:
            return killed
        who = "worker"
        time.sleep(0.1)
    raise AssertionError("there was nothing to kill for a minute: the processes do not start")


def _begin(fault: Callable[[], None], name: str, outcome: Outcome) -> None:
    fault()
    outcome.faults[name] += 1


def _finish(options: Options, run: Run, outcome: Outcome, say: Say) -> None:
    """All faults have ended. Let everything come to its end by itself, then count."""
    ground, load, database = run.ground, run.load, run.database
    say(f"{options.backend}: no more faults; waiting for {len(load.open())} jobs")
    load.stop()
    healed_s = time.monotonic()
    with contextlib.suppress(TimeoutError):
        _wait_for(lambda: not load.open() and not audit.unfinished(database), "all jobs to end", _DRAIN_S)
    outcome.quiet_s = time.monotonic() - healed_s
    orphans = _patient(ground.site.orphans)
    lines = ledger.read(ground.folder / "ledger")
    wrong, searched = read_results(load._url, load.jobs)
    load.close()
    left = ground.site.stop()
    facts = audit.facts(database)
    _count(outcome, facts, load, ground.site)
    gone = {record.id for record in facts.records.values() if record.state in checks.FINAL}
    ids = {job.token: job.id for job in load.jobs if job.id is not None}
    found = [replace(hit, job=ids.get(hit.job, hit.job)) for hit in ledger.hits(lines, ground.site.losses)]
    noticed_s = ledger.noticed(found, run.watch.seen)
    outcome.noticed_s = sorted(noticed_s)
    # For those who look into a wait that is long.
    told = [{**asdict(hit), "noticed_s": after_s} for hit, after_s in zip(found, noticed_s, strict=True)]
    (ground.folder / "hits.json").write_text(json.dumps(told, indent=1))
    # What was cancelled, is dead, or was ended by a child that outlived its worker need not begin again.
    waits = [hit.again_s - hit.t_s for hit in found if math.isfinite(hit.again_s) or hit.job not in gone]
    outcome.recovery_s = sorted(waits)
    outcome.violations = {
        "jobs lost": checks.lost_jobs(load.jobs, facts),
        "effects doubled": [*checks.effects_doubled(load.jobs, facts), *checks.keys_doubled(load.jobs)],
        "effects missing": checks.effects_missing(facts),
        "silent deaths": checks.silent_deaths(facts),
        "wrong ends": [*checks.wrong_ends(load.jobs, facts), *checks.illegal_changes(facts)],
        "wrong results": [*wrong, *checks.unequal_results(searched)],
        "work done again": [*ledger.trials_run_twice(lines), *ledger.steps_run_twice(lines)],
        "attempts not fenced": ledger.epochs_given_twice(lines),
        "lost workers noticed after 60 s": checks.too_slow(outcome.noticed_s, LIMIT_S, "its loss was noticed"),
        "waits over 60 s": checks.too_slow(waits, LIMIT_S, "it began again"),
        "processes left behind": [f"process {pid} outlived its parent" for pid in {*orphans, *left}],
    }


def _count(outcome: Outcome, facts: checks.Facts, load: Load, site: Site) -> None:
    outcome.states = Counter(record.state for record in facts.records.values())
    outcome.kinds = Counter(job.kind for job in load.jobs)
    outcome.outcomes = Counter(str(ended) for ended, _ in facts.attempts.values())
    outcome.restarts, outcome.ends, outcome.troubles = site.restarts, site.ends, load.troubles


def _patient(look: Callable[[], Sequence[int]]) -> Sequence[int]:
    """What is still there after half a minute."""
    with contextlib.suppress(TimeoutError):
        _wait_for(lambda: not look(), "orphans to end", 30)
    return look()


def _wait_for(condition: Callable[[], object], what: str, timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        with contextlib.suppress(httpx.TransportError):
            if condition():
                return
        time.sleep(0.2)
    raise TimeoutError(f"waited in vain for {what}")
