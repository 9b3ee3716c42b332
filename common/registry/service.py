"""What a process holds of the registry: publish outside a job, move aliases, and find the version that serves."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from common.clock import Clock, SystemClock
from common.database import Database
from common.errors import NotFound
from common.registry import moves, store
from common.registry.changing import Changing
from common.registry.choose import Chosen, Routing, Which
from common.registry.versions import (
    ModelEntry,
    Version,
    check_alias,
    check_artefact,
    check_description,
    check_model,
    check_tags,
    split_name,
)
from common.storage.blobs import BlobRef, Blobs
from common.telemetry.logs import get_logger

log = get_logger("atoll.registry")

# Half of the second within which every process has to know.
_POLL_S = 0.5
# A database that does not answer is left alone for so long; what is known goes on being served.
_PAUSE_S = 5.0
_KNOWN = 1024


class Registry(Changing):
    """One a process; threads may share it. All methods block.

    Parameters
    ----------
    poll_s : seconds for which this process trusts what it knows before it asks whether something changed.
    """

    def __init__(
        self, database: Database, blobs: Blobs, *, clock: Clock | None = None, poll_s: float = _POLL_S
    ) -> None:
        self.blobs = blobs
        self._database = database
        self._clock = clock or SystemClock()
        self._poll_s = poll_s
        self._polling = threading.Lock()
        self._stamps: dict[str, int] | None = None
        self._trusted_until_s = 0.0
        # Name -> the model's stamp before the version was read, and the version.
        self._known: dict[str, tuple[int, Version]] = {}
        self._routings: dict[str, tuple[int, Routing]] = {}

    @property
    def database(self) -> Database:
        return self._database

    def publish(
        self,
        model: str,
        artefacts: Mapping[str, Path | bytes | Iterable[bytes]],
        *,
        author: str,
        code_version: str,
        metrics: Mapping[str, Any] | None = None,
        data_hash: str | None = None,
        alias: str | None = None,
        signature: Mapping[str, Any] | None = None,
        description: str = "",
        tags: Mapping[str, str] | Iterable[str] = (),
        library: str | None = None,
        library_version: str | None = None,
        job_id: str | None = None,
        also: Callable[[sa.Connection, Version], None] | None = None,
    ) -> Version:
        """Put the artefacts on the share, add a version, and point `alias` to it, if given, in the same transaction.

        A job does not call this: its last transaction calls `store.insert_version` and `store.set_alias`.

        Parameters
        ----------
        signature : inputs and outputs, each with `name`, `datatype` and `shape` as the Open Inference Protocol has it.
        tags : texts by name, or names only.
        library : what made the artefacts, e.g. `scikit-learn`; with its version.
        job_id : that made it; of one job there is one version of a model.
        also : called with the version in the same transaction, which ends with the version if it raises.

        Raises
        ------
        Invalid
            A name cannot be used; nothing was written.
        ShareFull, ShareDown
            No version was added.
        sqlalchemy.exc.IntegrityError
            The job has published a version of this model before.
        """
        check_model(model)
        for name in artefacts:
            check_artefact(name)
        if alias is not None:
            check_alias(alias)
        check_description(description)
        tags = check_tags(tags)
        now = self._clock.now()

        def work(connection: sa.Connection) -> Version:
            number = store.insert_version(
                connection,
                model,
                refs,
                created_at=now,
                author=author,
                code_version=code_version,
                metrics=metrics,
                data_hash=data_hash,
                signature=signature,
                description=description,
                tags=tags,
                library=library,
                library_version=library_version,
                job_id=job_id,
                blobs=self.blobs,
            )
            if alias is not None:
                store.set_alias(connection, model, alias, number, changed_at=now)
            made = store.get(connection, model, number)
            if also is not None:
                also(connection, made)
            return made

        # Blobs first: a version that can be seen is whole. Those of a version that fails to commit do no harm.
        refs = self._put(artefacts)
        try:
            version = self._database.write(work)
        except store.BlobsGone:
            if not all(isinstance(content, Path | bytes) for content in artefacts.values()):
                raise
            # They were there, were needed by nobody, and were collected in between.
            refs = self._put(artefacts)
            version = self._database.write(work)
        self.look_again()
        log.info("version published", model=model, number=version.number, alias=alias)
        return version

    def _put(self, artefacts: Mapping[str, Path | bytes | Iterable[bytes]]) -> dict[str, BlobRef]:
        return {name: self.blobs.put(content) for name, content in artefacts.items()}

    def resolve(self, name: str) -> Version:
        """The version that `model`, `model:alias` or `model:number` means now, or did less than a second ago.

        If the database does not answer, what was known of it goes on being served.

        Raises
        ------
        NotFound, Invalid
        """
        model, which = split_name(name)
        stamp = self._current_stamps().get(model)
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            version = self.find(model, which)
        except NotFound:
            if isinstance(which, int):
                raise
            # Alias and version are two questions; the version may have been deleted between them.
            version = self.find(model, which)
        if stamp is not None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[name] = (stamp, version)
        return version

    def choose(self, model: str, which: Which = None, key: str | None = None) -> Chosen:
        """The version that answers a request now, and the one that is shown it.

        What was chosen stays the caller's until its answer is made: versions do not change, and the blobs of one that
        is deleted meanwhile stay for as long as a request may take.

        Parameters
        ----------
        which : number or alias that the request names; None leaves it to the model's shares.
        key : names the request, e.g. its id; the same key goes to the same alias. By default a random one.

        Raises
        ------
        NotFound, Invalid
        """
        if which is not None:
            return Chosen(self.resolve(f"{model}:{which}"), which if isinstance(which, str) else None)
        alias, shadow = self._routing(model).choose(key)
        shown = None
        if shadow is not None:
            with contextlib.suppress(NotFound):
                shown = self.resolve(f"{model}:{shadow}")
        return Chosen(self.resolve(f"{model}:{alias}"), alias, shown)

    def choose_known(self, model: str, which: Which = None, key: str | None = None) -> Chosen | None:
        """As `choose`, but never asks the database: for an event loop. None where `choose` has to, on a thread."""
        stamps = self._stamps
        if stamps is None or self._clock.monotonic_s() >= self._trusted_until_s:
            return None
        stamp = stamps.get(model)

        def known(name: str) -> Version | None:
            found = self._known.get(name)
            return found[1] if found is not None and found[0] == stamp else None

        if which is not None:
            version = known(f"{model}:{which}")
            return None if version is None else Chosen(version, which if isinstance(which, str) else None)
        routing = self._routings.get(model)
        if routing is None or routing[0] != stamp:
            return None
        alias, shadow = routing[1].choose(key)
        version, shown = known(f"{model}:{alias}"), None if shadow is None else known(f"{model}:{shadow}")
        if version is None or (shadow is not None and shown is None):
            return None
        return Chosen(version, alias, shown)

    def _routing(self, model: str) -> Routing:
        stamp = self._current_stamps().get(model)
        known = self._routings.get(model)
        if known is not None and known[0] == stamp:
            return known[1]
        entry = self.get_model(model)
        found = Routing(entry.traffic, frozenset(entry.aliases))
        if stamp is not None:
            if len(self._routings) >= _KNOWN:
                self._routings.clear()
            self._routings[model] = (stamp, found)
        return found

    def look_again(self) -> None:
        """Ask the database at the next `resolve`; called after this process has changed something."""
        self._trusted_until_s = self._clock.monotonic_s()

    def get(self, model: str, number: int) -> Version:
        return self.find(model, number)

    def find(self, model: str, which: int | str) -> Version:
        """The version that a number or an alias means, asked of the database now. Raises NotFound."""
        return self._database.read(lambda connection: store.get(connection, model, which))

    def get_model(self, model: str) -> ModelEntry:
        return self._database.read(lambda connection: store.get_model(connection, model))

    def ways_back(self, entry: ModelEntry) -> dict[str, int]:
        """Where a rollback leads, by alias; those without a way back are left out."""
        return self._database.read(lambda connection: moves.ways_back(connection, entry))

    def list_models(self) -> list[ModelEntry]:
        return self._database.read(store.list_models)

    def list_versions(self, model: str, *, before: int | None = None, limit: int = 100) -> list[Version]:
        return self._database.read(
            lambda connection: store.list_versions(connection, model, before=before, limit=limit)
        )

    def open(self, version: Version, artefact: str) -> BinaryIO:
        """An artefact as a file, checked; the caller closes it. Raises as `Blobs.open`, and NotFound."""
        return self.blobs.open(version.artefact(artefact).ref)

    def path(self, version: Version, artefact: str) -> Path:
        """A file of this machine with an artefact, checked; not to be written to. Raises as `open`."""
        return self.blobs.path(version.artefact(artefact).ref)

    def _current_stamps(self) -> dict[str, int]:
        stamps = self._stamps
        if stamps is not None and self._clock.monotonic_s() < self._trusted_until_s:
            return stamps
        # One asks; the others go on with what is known, if something is.
        if not self._polling.acquire(blocking=stamps is None):
            return stamps or {}
        try:
            asked_s = self._clock.monotonic_s()
            # Set before the answer, so that `look_again` during the question is not lost.
            self._trusted_until_s = asked_s + self._poll_s
            try:
                self._stamps = self._database.read(store.stamps)
            except DBAPIError as exc:
                if self._stamps is None:
                    raise
                log.warning("the database does not answer; what is known goes on being served", exc_info=exc)
                self._trusted_until_s = self._clock.monotonic_s() + _PAUSE_S
            return self._stamps
        finally:
            self._polling.release()
