"""Brings back what a task left: its files and logs to the share, its metrics and its run to the record."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from common.errors import AtollError
from common.http.addresses import Allowance
from common.settings import SubmissionSettings
from common.storage.share import BadPath, FileMissing, Share, check_path
from common.submission import tracking
from common.submission.catalogue import Catalogue
from common.submission.errors import OutputTooLarge
from common.submission.records import Known, Task
from common.submission.rows import known_of, with_earlier
from common.submission.states import TaskState
from common.submission.store import TaskStore
from common.telemetry.logs import get_logger

log = get_logger("atoll.tasks")

FOLDER = "tasks"
METRICS = "output/metrics.json"
# Among a task's files, if some of them could not be brought.
LEFT_OUT = "left-out.txt"
_MAX_METRICS_BYTES = 1_000_000
_MAX_METRICS = 1000
_MAX_NAME = 256
_MAX_LEFT_OUT = 1000
_TRIES = 10

# Makes a task's result a version of a hosted model: the task, and the file's path on the share.
Publish = Callable[[Task, str], Mapping[str, Any]]


def folder_of(task_id: str, attempt: int) -> str:
    """Where on the share the files of an attempt lie: `output/…`, `task.log`, `task-<index>.log`."""
    return f"{FOLDER}/{task_id}/{attempt}"


class Collector:
    """Collects attempts that have ended. Doing it again, or twice at once, gives the same."""

    def __init__(
        self,
        store: TaskStore,
        clusters: Catalogue,
        share: Share,
        settings: SubmissionSettings,
        allow: Allowance = Allowance(),
        publish: Publish | None = None,
    ) -> None:
        self._store = store
        self._clusters = clusters
        self._share = share
        self._settings = settings
        self._allow = allow
        self._publish = publish

    def collect(self, task: Task, attempt: int) -> None:
        """Bring back the files of an attempt, write down what they say, then remove them from the cluster.

        Raises
        ------
        ClusterDown, ShareDown, ShareFull
            Collect again later; nothing is lost.
        """
        known = known_of(task, attempt)
        if known is None:
            return
        runner = self._clusters.get(task.spec.cluster)
        if _files_of(task, attempt) != "complete":
            folder = folder_of(task.id, attempt)
            left_out: list[str] = []
            try:
                self._bring(runner.collect(known), folder, left_out)
            except OutputTooLarge as exc:
                left_out.append(exc.detail)
            if left_out:
                log.warning("files of a task are left out", task=task.id, attempt=attempt, files=len(left_out))
                self._share.write(f"{folder}/{LEFT_OUT}", ["\n".join([*left_out, ""]).encode()])
            tracking.merge(task.spec.tracking, self._share, f"{folder}/output")
            values = self._told(task, known, folder)
            if attempt == task.attempt and task.state is TaskState.SUCCEEDED:
                values |= self._registered(replace(task, metrics=values["metrics"]), folder)
            self._note(task.id, attempt, values | {"files": "complete"})
        # Only now: were they removed before the record says that they are here, nobody would find them again.
        runner.clean(known)

    def _bring(self, files: Iterator[tuple[str, Iterator[bytes]]], folder: str, left_out: list[str]) -> None:
        """`left_out` gets a line for each file that is left out, and why."""
        most = left = self._settings.max_output_bytes
        for path, parts in files:
            try:
                target = check_path(f"{folder}/{path}")
            except BadPath:
                if len(left_out) < _MAX_LEFT_OUT:
                    left_out.append(f"{path[:500]!a}: not every file share can hold this name")
                _exhaust(parts)
                continue
            bounded = _Bounded(parts, left)
            self._share.write(target, bounded)
            if bounded.is_cut:
                self._share.delete(target)
                told = f"more than {most} bytes are not kept of a task (MAX_TASK_OUTPUT_BYTES)"
                left_out.append(f"{path[:500]!a} and all that came after it: {told}")
                return
            left -= bounded.size_bytes

    def _told(self, task: Task, known: Known, folder: str) -> dict[str, Any]:
        metrics = read_metrics(self._share, f"{folder}/{METRICS}")
        found = tracking.read(
            task.spec.tracking, known.name, share=self._share, output=f"{folder}/output", allow=self._allow
        )
        if found is None:
            return {"metrics": metrics}
        return {"metrics": {**found.metrics, **metrics}, "run_id": found.run_id}

    def _registered(self, task: Task, folder: str) -> dict[str, Any]:
        wanted = task.spec.register_as
        if wanted is None or self._publish is None:
            return {}
        try:
            return {"result": dict(self._publish(task, f"{folder}/output/{wanted.output}"))}
        except AtollError as exc:
            if exc.status >= 500:
                raise
            # The task did what it was told; what it made is no model.
            return {"result": {"error": exc.detail}}

    def _note(self, task_id: str, attempt: int, values: Mapping[str, Any]) -> None:
        for _ in range(_TRIES):
            task = self._store.get(task_id)
            if _files_of(task, attempt) == "complete":
                return
            if attempt == task.attempt:
                changed = self._store.change(task, **values)
            else:
                kept = {name: value for name, value in values.items() if name != "result"}
                changed = self._store.change(task, earlier=with_earlier(task, attempt, **kept))
            if changed is not None:
                return
        raise AtollError("the task is changing all the time")


def read_metrics(share: Share, path: str) -> dict[str, float]:
    """The flat numbers of a program's `metrics.json`; none where it left none that can be read."""
    content = bytearray()
    try:
        for chunk in share.read(path):
            content += chunk
            if len(content) > _MAX_METRICS_BYTES:
                return {}
        found = json.loads(content)
    except (FileMissing, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    numbers = {
        name[:_MAX_NAME]: value
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    return dict(list(numbers.items())[:_MAX_METRICS])


def _files_of(task: Task, attempt: int) -> str:
    if attempt == task.attempt:
        return task.files
    return next((str(one["files"]) for one in task.earlier if one["attempt"] == attempt), "none")


def _exhaust(parts: Iterator[bytes]) -> None:
    for _ in parts:
        pass


class _Bounded:
    """Parts of a file, up to a number of bytes."""

    def __init__(self, parts: Iterator[bytes], most: int) -> None:
        self._parts = parts
        self._most = most
        self.size_bytes = 0
        self.is_cut = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if self.size_bytes + len(part) > self._most:
                self.is_cut = True
                return
            self.size_bytes += len(part)
            yield part
