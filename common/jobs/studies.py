"""Optuna studies in the job's own record: a search goes on where it stood when its worker vanished.

A study is kept as Optuna's journal: one entry a step of a trial, stored as parts of the job beside its request, so it
lives as long as the job's result. Not by Optuna's `RDBStorage`: that one takes Atoll's `alembic_version` for its own,
and its reads that turn into writes fail on SQLite as soon as anybody else writes.

Importing this module imports Optuna, which takes half a second; workers do, and whoever asks for trials.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import optuna
import sqlalchemy as sa
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from common.database import Database
from common.jobs.errors import Fenced
from common.jobs.records import Job
from common.jobs.rows import find
from common.jobs.tables import payloads

Direction = Literal["minimize", "maximize"]

# Names of parts sort as their numbers do.
_PART = "study-{:08d}"
_LAST = 99_999_999
# Attributes of a trial: which attempt runs it; that it ended with that attempt, and by no fault of its own.
ATTEMPT = "attempt"
ABANDONED = "abandoned"

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Journal(BaseJournalBackend):
    """The entries of one study.

    Parameters
    ----------
    study : id of the job whose study it is.
    writer : the attempt that writes, as it began; another job's where that one helps. None only reads.
    """

    def __init__(self, database: Database, study: str, writer: Job | None = None) -> None:
        self._database = database
        self._study = study
        self._writer = writer

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        query = sa.select(payloads.c.content).where(self._parts(log_number_from)).order_by(payloads.c.part)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [json.loads(row.content) for row in rows]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries in one transaction. Raises `Fenced` if the attempt is over."""
        writer = self._writer
        if writer is None:
            raise AssertionError("this journal was opened to read")
        contents = [json.dumps(entry).encode() for entry in logs]

        def work(connection: sa.Connection) -> None:
            # The lock also keeps the entries of several writers apart.
            owner = find(connection, self._study, lock=True)
            current = owner if owner is None or writer.id == self._study else find(connection, writer.id)
            if owner is None or current is None or current.epoch != writer.epoch or not current.state.is_active:
                raise Fenced(writer.id)
            query = sa.select(sa.func.max(payloads.c.part)).where(self._parts(0))
            last = connection.execute(query).scalar()
            number = int(last.rpartition("-")[2]) + 1 if last else 0
            rows = [
                {
                    "job_id": self._study,
                    "part": _PART.format(number + at),
                    "content": content,
                    "size_bytes": len(content),
                }
                for at, content in enumerate(contents)
            ]
            connection.execute(sa.insert(payloads), rows)

        # A trial that has ended is not to be run again, and may have taken hours. SQLite loses what is not synced only
        # with the machine; PostgreSQL does with its own process, while this one goes on and remembers it.
        self._database.write(work, durable=not self._database.is_sqlite)

    def _parts(self, first: int) -> sa.ColumnElement[bool]:
        between = payloads.c.part.between(_PART.format(first), _PART.format(_LAST))
        return (payloads.c.job_id == self._study) & between


class StudyStorage(JournalStorage):
    """A journal whose trials bear, from their first entry on, the name of the attempt that runs them."""

    def __init__(self, journal: BaseJournalBackend, writer: Job) -> None:
        self.attempt = f"{writer.id}/{writer.epoch}"
        super().__init__(journal)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        return super().create_new_trial(study_id, template_trial or self._begun())

    def _begun(self) -> FrozenTrial:
        return FrozenTrial(
            number=-1,
            trial_id=-1,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now().astimezone(),
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={ATTEMPT: self.attempt},
            system_attrs={},
            intermediate_values={},
        )


def open_study(
    database: Database, study: str, writer: Job, direction: Direction, pruner: optuna.pruners.BasePruner
) -> optuna.Study:
    """The study of job `study`, made if it is not there."""
    return study_in(Journal(database, study, writer), study, writer, direction, pruner)


def study_in(
    journal: BaseJournalBackend, study: str, writer: Job, direction: Direction, pruner: optuna.pruners.BasePruner
) -> optuna.Study:
    """The study of a journal, made if it is not there."""
    return optuna.create_study(
        storage=StudyStorage(journal, writer),
        study_name=study,
        direction=direction,
        pruner=pruner,
        load_if_exists=True,
    )


def abandon(study: optuna.Study, trial: FrozenTrial) -> None:
    """Mark a trial failed that nobody runs any more; another one takes its place."""
    study._storage.set_trial_user_attr(trial._trial_id, ABANDONED, True)
    study.tell(trial.number, state=TrialState.FAIL)


def is_abandoned(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get(ABANDONED))


def trials_of(database: Database, job_id: str) -> list[dict[str, Any]]:
    """The trials of a job, the first one first, as JSON can hold them; none for a job that searches nothing.

    Each has `number`, `state` (running, complete, pruned, failed, abandoned), `value`, `params`, `started_at`,
    `ended_at`, `intermediate` {step: value}.
    """
    storage = JournalStorage(Journal(database, job_id))
    studies = storage.get_all_studies()
    return [_told(trial) for study in studies for trial in storage.get_all_trials(study._study_id, deepcopy=False)]


def _told(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": state_of(trial),
        "value": _number(trial.value) if trial.values else None,
        "params": trial.params,
        "started_at": _utc(trial.datetime_start),
        "ended_at": _utc(trial.datetime_complete),
        "intermediate": {str(step): _number(value) for step, value in sorted(trial.intermediate_values.items())},
    }


def state_of(trial: FrozenTrial) -> str:
    if is_abandoned(trial):
        return "abandoned"
    return "failed" if trial.state is TrialState.FAIL else trial.state.name.lower()


def _number(value: float | None) -> float | None:
    """JSON has no NaN and no infinities."""
    return value if value is not None and abs(value) < float("inf") else None


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
