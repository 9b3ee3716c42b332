"""What a plugin's `train` is given: progress, the search, and publishing.

A training may run more than once; it publishes once. Artefacts are on the share before the job ends, where putting
them twice is harmless; the version, its alias, the result and the job's state are written by one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from common.clock import Clock
from common.jobs.context import Checkpoint, JobContext
from common.jobs.helpers import Helpers
from common.jobs.records import Job
from common.jobs.rows import Payloads
from common.plugins.fingerprint import code_version
from common.plugins.record import PluginRecord
from common.registry import store as registry
from common.registry.versions import (
    DEFAULT_ALIAS,
    check_alias,
    check_artefact,
    check_description,
    check_tags,
    finite,
)
from common.storage.blobs import BlobRef, Blobs

if TYPE_CHECKING:
    # At run time only where a plugin searches: Optuna takes half a second to import.
    import optuna
    from optuna.trial import FrozenTrial

    from common.jobs.search import Objective, Params, Space, Suggest
    from common.jobs.studies import Direction

    # From the id of the job whose study it is, the attempt that writes to it, the direction and the pruner.
    OpenStudy = Callable[[str, Job, Direction, optuna.pruners.BasePruner], optuna.Study]

Artefacts = bytes | Path | Mapping[str, bytes | Path]

# The name of an artefact that was given without one.
ONLY_ARTEFACT = "model"


@dataclass(frozen=True)
class Publication:
    """A version to be: its artefacts are on the share, its row is not written yet."""

    artefacts: Mapping[str, BlobRef]
    metrics: Mapping[str, Any]
    alias: str | None
    data_hash: str | None
    about: Mapping[str, Any]


class TrainContext:
    """One attempt of a training, as the plugin's `train` sees it.

    Attributes
    ----------
    checkpoint : bytes that survive the attempt: `load()`, `save(content)`.
    """

    def __init__(
        self,
        context: JobContext,
        record: PluginRecord,
        helpers: Helpers,
        studies: "OpenStudy",
        blobs: Blobs,
        clock: Clock,
    ) -> None:
        self.checkpoint: Checkpoint = context.checkpoint
        self._job = context.job
        self._context = context
        self._record = record
        self._helpers = helpers
        self._studies = studies
        self._blobs = blobs
        self._clock = clock
        self._study: optuna.Study | None = None
        self._found_space: Space | None = None
        self._suggest: Suggest | None = None
        self._best: FrozenTrial | None = None
        self._publication: Publication | None = None

    @property
    def cancelled(self) -> bool:
        """Whether to stop."""
        return self._context.cancelled

    def check_cancelled(self) -> None:
        """Leave the training if it is to stop. Call it where it is safe to leave."""
        self._context.check_cancelled()

    def progress(self, fraction: float | None = None, message: str | None = None, **metrics: Any) -> None:
        """Tell how far the training is: 0 to 1, a text for people, named figures."""
        self._context.progress(fraction, message, **metrics)

    def log(self, text: str, level: str = "info") -> None:
        """Add a line to the job's log."""
        self._context.log(text, level)

    @property
    def study(self) -> "optuna.Study":
        """The job's Optuna study; what an earlier attempt tried is in it."""
        if self._study is None:
            space = self._space
            self._study = self._studies(self._helpers.study, self._job, space.direction, space.pruner())
        return self._study

    def optimize(
        self,
        objective: "Objective",
        n_trials: int,
        timeout_s: float | None = None,
        *,
        suggest: "Suggest | None" = None,
        seed: int = 0,
        first: "Sequence[Params]" = (),
    ) -> "Params":
        """Run trials until `n_trials` are complete or pruned, and return the best one's values.

        Parameters
        ----------
        objective : `objective(values, trial)` gives the figure to minimise (or maximise, as the space says). Where it
            raises, the trial failed and another one takes its place; `report` tells of figures under way.
        timeout_s : seconds after which no trial is begun any more, counted from the first attempt.
        suggest : by default that of the plugin's space.
        seed : the same one gives the same trials, interrupted or not; but not with parallel trials.
        first : values of the first trials, by name.

        Raises
        ------
        JobRefused
            The objective fails again and again, or no trial was complete in time.
        """
        from common.jobs.search import PlacedSampler, Search

        study, self._suggest = self.study, suggest or self._space.suggest
        study.sampler = PlacedSampler(self._space.sampler, seed, first)
        self._helpers.call()
        search = Search(study, self._context, self._clock, self._helpers.is_orphan, self._helpers.is_over)
        search.run(objective, self._suggest, n_trials, timeout_s)
        self._helpers.check_done()
        # Kept, because a helper's last trial may end later, and be better than what is published.
        self._best = study.best_trial
        return self.best_params

    def report(self, trial: "optuna.Trial", value: float, step: int) -> None:
        """Tell a trial's figure under way; leaves the trial where it compares badly, or the training is to stop."""
        import optuna

        self.check_cancelled()
        trial.report(value, step)
        if trial.should_prune():
            raise optuna.TrialPruned

    @property
    def best_params(self) -> "Params":
        """The values of the best trial, as the space gave them."""
        from optuna.trial import FixedTrial

        given = self._best_trial.params
        suggest: Any = self._suggest
        return suggest(FixedTrial(given)) or given if suggest else given

    @property
    def best_value(self) -> float:
        """The figure of the best trial."""
        value = self._best_trial.value
        assert value is not None  # noqa: S101  # it is complete
        return value

    def publish(
        self,
        artefacts: Artefacts,
        metrics: Mapping[str, Any],
        *,
        alias: str | None = DEFAULT_ALIAS,
        data_hash: str | None = None,
        signature: Mapping[str, Any] | None = None,
        description: str = "",
        tags: Mapping[str, str] | Sequence[str] = (),
        snapshot: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a version of the model when, and only when, the job succeeds. Called again, the last call counts.

        Parameters
        ----------
        artefacts : files or bytes by name; a single one is called `model`.
        metrics : what the training measured.
        alias : points to the version from then on; None moves none.
        data_hash : of the data trained on.
        signature : inputs and outputs, each with `name`, `datatype` and `shape` as the Open Inference Protocol has it.
        description, tags : for people; tags are texts by name, or names only.
        snapshot : inputs trained on, an array of n numbers or texts by name (those of the plugin's `row`), an output as
            `output.name`. 5000 rows of them are kept as the artefact `snapshot.npz`, which `…/drift` compares with.

        Raises
        ------
        Invalid
            A name cannot be used, a text is too long, or the snapshot has no columns of equal length.
        ShareFull, ShareDown
        """
        named = dict(artefacts) if isinstance(artefacts, Mapping) else {ONLY_ARTEFACT: artefacts}
        if snapshot is not None:
            from common.registry.drift.snapshot import SNAPSHOT, packed

            named[SNAPSHOT] = packed(snapshot, signature)
        for name in named:
            check_artefact(name)
        if alias is not None:
            check_alias(alias)
        about = {
            "signature": signature,
            "description": check_description(description),
            "tags": check_tags(tags),
        }
        if self._helpers.is_helper:
            return
        refs = {name: self._blobs.put(content) for name, content in named.items()}
        if self._publication is None:
            self._context.on_commit(self._commit)
        self._publication = Publication(refs, dict(metrics), alias, data_hash, about)

    @property
    def publication(self) -> Publication | None:
        """What is to be published, as far as the training has said so."""
        return self._publication

    @property
    def searched(self) -> dict[str, Any]:
        """What a search has found, as the job's result tells it: `best_params` and the counts of `trials`, or None."""
        if self._study is None:
            return {"best_params": None, "trials": None}
        from common.jobs.search import Tally

        tally = Tally(self._study)
        return {
            "best_params": self.best_params if tally.complete else None,
            "trials": {"complete": tally.complete, "pruned": tally.pruned, "failed": tally.failed},
        }

    @property
    def code_version(self) -> str:
        """Of the code that trains."""
        return code_version(self._record.module)

    def result(self) -> bytes:
        """The body of the job's result; its version is written by the last transaction, which makes the number."""
        return self._answer(None)

    def _answer(self, version: int | None) -> bytes:
        if self._helpers.is_helper:
            return orjson.dumps({"model": self._record.name, "helped": self._helpers.study})
        metrics = self._publication.metrics if self._publication else {}
        answer: dict[str, Any] = {"model": self._record.name, "version": version, "metrics": metrics}
        return orjson.dumps(finite(answer | self.searched), default=str, option=orjson.OPT_SERIALIZE_NUMPY)

    def _commit(self, connection: sa.Connection) -> None:
        """Add the version in the transaction that makes the job succeed."""
        made = self._publication
        assert made is not None  # noqa: S101  # `publish` sets both
        now = self._clock.now()
        number = registry.insert_version(
            connection,
            self._record.name,
            made.artefacts,
            created_at=now,
            author=self._job.owner or "anonymous",
            code_version=self.code_version,
            metrics=made.metrics,
            job_id=self._job.id,
            data_hash=made.data_hash,
            blobs=self._blobs,
            **made.about,
        )
        if made.alias is not None:
            registry.set_alias(connection, self._record.name, made.alias, number, changed_at=now)
        self._complete_result(connection, number)

    def _complete_result(self, connection: sa.Connection, number: int) -> None:
        """Write the result again, with the version's number.

        The kernel writes the result after its hooks, so this has to wait for the very end of the transaction.
        """
        content = self._answer(number)
        values = {"content": content, "blob": None, "size_bytes": len(content)}

        def write(connection: sa.Connection) -> None:
            Payloads.write(connection, self._job.id, "result", values)

        sa.event.listen(connection, "commit", write, once=True)

    @property
    def _best_trial(self) -> "FrozenTrial":
        return self._best or self.study.best_trial

    @property
    def _space(self) -> "Space":
        if self._found_space is None:
            from common.jobs.search import Space

            self._found_space = Space.of(self._record.plugin.space)
        return self._found_space
