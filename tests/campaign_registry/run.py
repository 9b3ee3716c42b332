"""Runs a campaign over one database: processes that act, one that kills, and looks at what is left."""

import contextlib
import multiprocessing
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from common.database import Database
from tests.campaign_registry.actor import act
from tests.campaign_registry.checks import PROMISES, Violations, check, check_under_way
from tests.campaign_registry.ledger import Told
from tests.support.backends import PostgresServer

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Looked at whenever so many were killed, while the others go on; more closely in the end.
_EVERY = 20
_ACTORS = 3


@dataclass
class Outcome:
    """What a campaign did, and what it found.

    Parameters
    ----------
    killed_in : kills by what the process was doing.
    places : kills by the place at which a process killed itself.
    """

    backend: str
    seed: int
    kills: int = 0
    killed_in: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    violations: Violations = field(default_factory=lambda: {promise: [] for promise in PROMISES})
    took_s: float = 0.0

    @property
    def inconsistencies(self) -> int:
        return sum(map(len, self.violations.values()))


def campaign(backend: str, kills: int, seed: int, say: Callable[[str], object] = lambda _: None) -> Outcome:
    """Kill so many processes in the middle of what they do, and look."""
    outcome, began_s = Outcome(backend, seed), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="atoll-registry-"))
    try:
        with _database_url(backend, folder) as url:
            database = Database(url)
            try:
                database.migrate()
                _kill(database, url, folder, kills, random.Random(seed), outcome, say)
                told = Told.read(folder / "ledger.jsonl")
                _add(outcome, check(database, folder, told))
                _count(outcome, told)
            finally:
                database.close()
    finally:
        outcome.took_s = time.monotonic() - began_s
        if outcome.inconsistencies:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _kill(
    database: Database,
    url: str,
    folder: Path,
    kills: int,
    rng: random.Random,
    outcome: Outcome,
    say: Callable[[str], object],
) -> None:
    # Real processes that begin at once: they are forked by one that has imported everything and done nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.campaign_registry.actor", "sqlalchemy.dialects.sqlite", "psycopg"])
    actors: list[multiprocessing.process.BaseProcess] = []

    def start() -> None:
        # Most of them kill themselves at a chosen place, the others are killed whenever it is.
        mined = rng.randrange(1, 8) if rng.random() < 0.75 else None
        given = (str(folder), url, rng.getrandbits(32), mined)
        actor = context.Process(target=act, args=given, daemon=True)
        actor.start()
        actors.append(actor)

    try:
        for _ in range(_ACTORS):
            start()
        while outcome.kills < kills:
            time.sleep(rng.expovariate(1 / 0.15))
            if rng.random() < 0.5:
                # It does nothing to one that has just killed itself.
                rng.choice(actors).kill()
            time.sleep(0.01)
            for actor in [one for one in actors if not one.is_alive()]:
                actors.remove(actor)
                if actor.exitcode != -signal.SIGKILL:
                    raise AssertionError(f"an actor ended by itself with {actor.exitcode}; its error is above")
                outcome.kills += 1
                start()
                if outcome.kills % _EVERY == 0:
                    _add(outcome, check_under_way(database, folder))
                    say(f"{outcome.kills}/{kills} kills, {outcome.inconsistencies} inconsistencies")
    finally:
        for actor in actors:
            actor.kill()
        for actor in actors:
            actor.join()


def _add(outcome: Outcome, found: Violations) -> None:
    for promise, texts in found.items():
        outcome.violations[promise] += [text for text in texts if text not in outcome.violations[promise]]


def _count(outcome: Outcome, told: Told) -> None:
    for deed in told.deeds.values():
        outcome.deeds[deed.verb] += 1
        outcome.refused += deed.refused
        if deed.result is None and not deed.refused:
            outcome.killed_in[deed.verb] += 1
        if deed.place is not None:
            outcome.places[deed.place] += 1


@contextlib.contextmanager
def _database_url(backend: str, folder: Path) -> Iterator[str]:
    if backend == SQLITE:
        yield f"sqlite:///{folder}/registry.db"
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.url + "/postgres"
    finally:
        server.close()
