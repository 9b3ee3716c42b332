"""A process that does one thing after another to the registry, and may kill itself in the middle of one."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from common.clock import new_id
from common.database import Database
from common.errors import AtollError
from common.registry.garbage import Garbage
from common.registry.gate import Gate
from common.registry.service import Registry
from common.settings import RegistrySettings, TelemetrySettings
from common.storage.blobs import Blobs
from common.telemetry.logs import configure_logs
from tests.campaign_registry.ledger import Ledger
from tests.campaign_registry.mines import Mine, MinedShare

MODELS = ("one", "two")
ALIASES = ("default", "candidate", "third")
# Few, so that what one process publishes is often what another one has just deleted or collects.
CONTENTS = 24
KEPT = 12
_SETTINGS = RegistrySettings(keep_versions=KEPT, keep_days=0)


def content(number: int) -> bytes:
    """The same bytes for the same number; more than one part of a file."""
    return (f"content {number} ".encode() * 40_000)[: 300_000 + number]


class Actor:
    """One process's hands on the registry."""

    def __init__(self, folder: Path, url: str, seed: int) -> None:
        self._rng = random.Random(seed)
        self._mine = Mine()
        self._mine.tell = self._tell
        self._ledger = Ledger(folder / "ledger.jsonl")
        database = Database(url, pool_size=1)
        share = MinedShare(folder / "share")
        share.mine = self._mine
        blobs = Blobs(share, folder / "cache")
        self._registry = Registry(database, blobs, poll_s=0)
        self._garbage = Garbage(database, blobs, _SETTINGS)
        self._mine.lay(database.engine)

    def run(self, deeds_before_mine: int | None) -> None:
        """Act until killed; by the mine after so many deeds, or by somebody else."""
        count = 0
        while True:
            if count == deeds_before_mine:
                self._mine.arm(self._rng)
            count += 1
            self._act()

    def _act(self) -> None:
        verbs: dict[str, tuple[int, Callable[[str], Any]]] = {
            "publish": (60, self._publish),
            "alias": (40, self._alias),
            "rollback": (20, self._rollback),
            "promote": (20, self._promote),
            "traffic": (30, self._traffic),
            "delete version": (40, self._delete),
            "delete alias": (10, self._delete_alias),
            # Rare, or there is little left to do.
            "delete model": (3, self._delete_model),
            "describe": (10, self._describe),
            "collect": (30, self._collect),
        }
        names = list(verbs)
        verb = self._rng.choices(names, [verbs[name][0] for name in names])[0]
        # A deed draws all that it wants before it begins.
        self._id, self._verb = new_id(), verb
        try:
            result = verbs[verb][1](self._rng.choice(MODELS))
            self._ledger.write(what="done", id=self._id, result=result)
        except AtollError:
            self._ledger.write(what="refused", id=self._id)
        finally:
            self._mine.is_live = False

    def _begin(self, **wanted: Any) -> None:
        self._ledger.write(what="begin", id=self._id, verb=self._verb, wanted=wanted)
        self._mine.is_live = True

    def _tell(self, place: str) -> None:
        self._ledger.write(what="killed", id=self._id, place=place)

    def _publish(self, model: str) -> dict[str, Any]:
        numbers = [self._rng.randrange(CONTENTS) for _ in range(2)]
        alias = self._rng.choice([None, *ALIASES])
        digests = {f"{place}.bin": sha256(content(number)).hexdigest() for place, number in enumerate(numbers)}
        self._begin(model=model, alias=alias, digests=digests)
        version = self._registry.publish(
            model,
            {f"{place}.bin": content(number) for place, number in enumerate(numbers)},
            # So that the version tells whose it is.
            author=self._id,
            code_version="1",
            metrics={"error": round(self._rng.random(), 3)},
            alias=alias,
        )
        return {"number": version.number}

    def _alias(self, model: str) -> dict[str, Any]:
        alias, number = self._rng.choice(ALIASES), self._some(model)
        self._begin(model=model, alias=alias, number=number)
        return self._registry.set_alias(model, alias, number).model_dump()

    def _rollback(self, model: str) -> dict[str, Any]:
        alias = self._rng.choice(ALIASES)
        self._begin(model=model, alias=alias)
        return self._registry.rollback(model, alias).model_dump()

    def _promote(self, model: str) -> dict[str, Any]:
        self._begin(model=model)
        return self._registry.promote(model, "candidate", Gate("error", "lower")).model_dump()

    def _traffic(self, model: str) -> dict[str, Any]:
        part = round(self._rng.random(), 2)
        shadow = self._rng.choice([None, "third"])
        clear = self._rng.random() < 0.3
        self._begin(model=model, part=part, shadow=shadow, clear=clear)
        if clear:
            self._registry.clear_traffic(model)
        else:
            self._registry.set_traffic(model, {"default": 1 - part, "candidate": part}, shadow)
        return {}

    def _delete(self, model: str) -> dict[str, Any]:
        number = self._some(model)
        self._begin(model=model, number=number)
        self._registry.delete_version(model, number)
        return {}

    def _delete_alias(self, model: str) -> dict[str, Any]:
        alias = self._rng.choice(ALIASES)
        self._begin(model=model, alias=alias)
        self._registry.delete_alias(model, alias)
        return {}

    def _delete_model(self, model: str) -> dict[str, Any]:
        self._begin(model=model)
        self._registry.delete_model(model)
        return {}

    def _describe(self, model: str) -> dict[str, Any]:
        number = self._some(model)
        self._begin(model=model, number=number)
        self._registry.describe(model, number, description=self._id, tags=["seen"])
        return {}

    def _collect(self, model: str) -> dict[str, Any]:
        self._begin()
        collected = self._garbage.collect(timedelta(0))
        return {"versions": collected.versions, "blobs": collected.blobs}

    def _some(self, model: str) -> int:
        """Number of a version that is there, or was a moment ago."""
        found = self._registry.list_versions(model, limit=20)
        return self._rng.choice(found).number if found else 1


def act(folder: str, url: str, seed: int, deeds_before_mine: int | None) -> None:
    """The process's main function."""
    configure_logs(TelemetrySettings(level="CRITICAL"))
    # Not all at once.
    time.sleep(random.Random(seed).random() * 0.05)
    Actor(Path(folder), url, seed).run(deeds_before_mine)
