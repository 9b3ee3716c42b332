"""The executor of training jobs: finds the plugin, reads the request, runs `train`, and answers what came of it."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from pydantic import ValidationError

from common.clock import Clock
from common.database import Database
from common.errors import Invalid, ModelUnavailable
from common.http.problems import field_errors
from common.jobs.context import JobContext
from common.jobs.errors import JobRefused
from common.jobs.helpers import HelperDone, Helpers
from common.jobs.records import Job, Result
from common.jobs.service import JobService
from common.jobs.states import Kind, State
from common.jobs.tables import jobs
from common.jobs.train_context import TrainContext
from common.plugins.definition import BaseDefinition
from common.plugins.record import RETRY_LOAD_S, PluginRecord
from common.serving.progress import listening
from common.storage.blobs import Blobs
from common.telemetry import tracing

if TYPE_CHECKING:
    import optuna

    from common.jobs.studies import Direction
    from common.submission.training.follow import ClusterTrainings
    from common.submission.training.wire import Account

# The cluster to train on, in the query.
CLUSTER = "cluster"
T = TypeVar("T", bound=TrainContext)
Find = Callable[[str], PluginRecord | None]


def oldest_training(database: Database) -> datetime | None:
    """When the oldest training that runs now began; None where none does."""
    running = jobs.c.state.in_([state.value for state in State if state.is_active])
    chosen = sa.select(sa.func.min(jobs.c.started_at)).where(running, jobs.c.kind == Kind.TRAINING.value)
    found: datetime | None = database.read(lambda connection: connection.execute(chosen).scalar())
    return found


class TrainingExecutor:
    """Runs the jobs of kind `training`.

    Parameters
    ----------
    find : gives the plugin of a name, None if this process does not serve it.
    blobs : where artefacts are put.
    service : takes the jobs that help with parallel trials.
    on_clusters : gives what has trainings run on clusters; called for a training that names one.
    """

    def __init__(
        self,
        find: Find,
        database: Database,
        blobs: Blobs,
        clock: Clock,
        service: JobService,
        on_clusters: "Callable[[], ClusterTrainings] | None" = None,
    ) -> None:
        self._find = find
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._service = service
        self._on_clusters = on_clusters

    def run(self, job: Job, context: JobContext) -> Result:
        if (cluster := cluster_of(job.path)) is not None:
            return self._on_cluster(cluster, job, context)
        record = self._ready(job.model)
        train, definition = record.plugin.train, record.plugin.train_request
        if train is None or definition is None:
            raise JobRefused(f"{job.model} cannot be trained")
        request = read_request(definition, context.body)
        training = self._context(TrainContext, context, record)
        traced = tracing.span(f"train {job.model}", {"atoll.model": job.model})
        with listening(OnlyToStop(context)), traced, contextlib.suppress(HelperDone):
            train(training, request)
        return Result(body=training.result())

    def _on_cluster(self, cluster: str, job: Job, context: JobContext) -> Result:
        """What was trained elsewhere is published as if it had been trained here."""
        record = self._find(job.model)
        if record is None or self._on_clusters is None:
            raise JobRefused(f"this worker does not serve {job.model}, or has no clusters")
        collected = self._on_clusters().run(job, context, record, cluster)
        self._keep_trials(job, collected.trials())
        training = self._context(CollectedTraining, context, record)
        training.account = collected.account
        collected.publish(training)
        return Result(body=training.result())

    def _keep_trials(self, job: Job, entries: list[dict[str, Any]]) -> None:
        if not entries:
            return
        from common.jobs.studies import Journal

        journal = Journal(self._database, job.id, job)
        # An earlier attempt may have come so far.
        if not journal.read_logs(0):
            journal.append_logs(entries)

    def _context(self, made: type[T], context: JobContext, record: PluginRecord) -> T:
        helpers = Helpers(context, self._service)
        return made(context, record, helpers, self._open_study, self._blobs, self._clock)

    def _open_study(
        self, study: str, writer: Job, direction: "Direction", pruner: "optuna.pruners.BasePruner"
    ) -> "optuna.Study":
        # Brings Optuna.
        from common.jobs.studies import open_study

        return open_study(self._database, study, writer, direction, pruner)

    def _ready(self, name: str) -> PluginRecord:
        record = self._find(name)
        if record is None:
            raise JobRefused(f"this worker does not serve {name}; see SERVICE_MODEL")
        record.load()
        if not record.is_ready():
            raise ModelUnavailable(f"{name} is unavailable: {record.reason}", retry_after_s=RETRY_LOAD_S)
        return record


class CollectedTraining(TrainContext):
    """A training that has ended elsewhere; `account` is what it has come to."""

    account: "Account"

    @property
    def searched(self) -> dict[str, Any]:
        return dict(self.account.searched)

    @property
    def code_version(self) -> str:
        return self.account.code_version


def cluster_of(path: str) -> str | None:
    """The cluster that the query of a training's path names."""
    return parse_qs(urlsplit(path).query).get(CLUSTER, [None])[-1]


class OnlyToStop:
    """What a prediction within the training reports: a place to leave it, but not how far the training is."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def check_cancelled(self) -> None:
        self._context.check_cancelled()

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        pass


def read_request(definition: type[BaseDefinition], body: bytes) -> BaseDefinition:
    """The request. The route has checked it, but perhaps by an older version of the plugin."""
    try:
        return definition.model_validate_json(body or b"{}")
    except ValidationError as exc:
        fields = field_errors(exc.errors())
        told = "; ".join(f"{item.field}: {item.message}" for item in fields[:5])
        raise Invalid(told, errors=fields[:50]) from None
