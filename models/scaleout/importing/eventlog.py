"""A run's record from Spark's event log, of Spark 3 and 4. Pure but for `read`.

The events are those of Spark's `JsonProtocol`, a JSON object a line; what is not named here is passed over unread.
https://spark.apache.org/docs/latest/monitoring.html#viewing-after-the-fact
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from common.errors import Invalid
from models.scaleout.importing.executors import Executors
from models.scaleout.importing.lines import lines
from models.scaleout.importing.metrics import TaskSums
from models.scaleout.importing.settings import Properties, context_of, limits_of
from models.scaleout.records import Application, JobExecution, Stage
from models.scaleout.signature import signature_of

_BEGINS = b'{"Event":"SparkListener'


@dataclass
class _Job:
    start_s: float
    stage_ids: tuple[int, ...]
    end_s: float | None = None


@dataclass
class EventLog:
    """What the events so far tell; feed them in the order of the log.

    Attributes
    ----------
    skipped : lines that were no events, or lacked what their kind has.
    ended : ids of jobs that have ended, in that order.
    """

    app_name: str = ""
    application_id: str = ""
    attempt_id: str = ""
    start_s: float | None = None
    end_s: float | None = None
    properties: Properties = field(default_factory=Properties)
    versions: dict[str, str] = field(default_factory=dict)
    executors: Executors = field(default_factory=Executors)
    skipped: int = 0
    ended: list[int] = field(default_factory=list)
    _jobs: dict[int, _Job] = field(default_factory=dict)
    _stages: dict[int, dict[int, Stage]] = field(default_factory=lambda: defaultdict(dict))
    _sums: dict[tuple[int, int], TaskSums] = field(default_factory=lambda: defaultdict(TaskSums))

    def feed(self, line: bytes) -> str:
        """Take one line; the name of its event, empty where it is passed over."""
        if not line.startswith(_BEGINS):
            # Events of SQL begin with their class's name, and are not needed.
            self.skipped += bool(line.strip()) and not line.startswith(b'{"Event":')
            return ""
        name = line[len(_BEGINS) : line.find(b'"', len(_BEGINS))].decode(errors="replace")
        take = _TAKE.get(name)
        if take is None:
            return ""
        try:
            take(self, orjson.loads(line))
        except (KeyError, TypeError, ValueError, AttributeError):
            self.skipped += 1
            return ""
        return name

    @property
    def known(self) -> bool:
        """Whether there was anything of an application."""
        return self.start_s is not None or bool(self._jobs)

    def application(self) -> Application:
        """The record of what is known so far; jobs that still run have no end."""
        low, high, target_s = limits_of(self.properties)
        jobs = tuple(self.job(job_id) for job_id in sorted(self._jobs))
        first = jobs[0] if jobs else None
        last = max(jobs, key=lambda job: job.end_s or job.start_s or 0.0) if jobs else None
        attempt = f"_{self.attempt_id}" if self.attempt_id else ""
        context = context_of(self.properties, self.app_name, self.versions)
        return Application(
            execution_id=self.properties.own("application_execution_id") or f"{self.application_id}{attempt}",
            context=context,
            application_id=self.application_id,
            attempt_id=self.attempt_id,
            signature=self.properties.own("application_signature") or signature_of(context),
            solution=self.properties.own("method") or self.properties.own("solution_name") or "enel",
            min_scale_out=low,
            max_scale_out=high,
            target_s=target_s,
            start_s=self.start_s if self.start_s is not None or first is None else first.start_s,
            end_s=self.end_s,
            start_scale_out=first.start_scale_out if first else None,
            end_scale_out=(last.end_scale_out or last.start_scale_out) if last else None,
            jobs=jobs,
        )

    def job(self, job_id: int) -> JobExecution:
        """
        Raises
        ------
        KeyError
            It has not started.
        """
        job = self._jobs[job_id]
        stages = {stage_id: self._stage(stage_id, job) for stage_id in job.stage_ids}
        return JobExecution(
            job_id,
            start_s=job.start_s,
            end_s=job.end_s,
            stages={stage_id: stage for stage_id, stage in stages.items() if stage is not None},
            **self._scaling(job.start_s, job.end_s),
        )

    def _stage(self, stage_id: int, job: _Job) -> Stage | None:
        """Its latest attempt within the job; without times if the job did not need to run it."""
        attempts = self._stages.get(stage_id, {})
        ran = [
            stage
            for _, stage in sorted(attempts.items())
            if stage.start_s is not None
            and stage.start_s >= job.start_s
            and (job.end_s is None or stage.start_s <= job.end_s)
        ]
        if not ran:
            return replace(attempts[min(attempts)], start_s=None, end_s=None) if attempts else None
        stage = ran[-1]
        sums = self._sums.get((stage_id, stage.attempt), TaskSums())
        return replace(stage, metrics=sums.metrics(), **self._scaling(stage.start_s, stage.end_s))

    def _scaling(self, start_s: float | None, end_s: float | None) -> dict[str, Any]:
        if not self.executors.known:
            return {}
        return {
            "start_scale_out": None if start_s is None else self.executors.at(start_s),
            "end_scale_out": None if end_s is None else self.executors.at(end_s),
            "rescaling_time_ratio": 0.0
            if start_s is None or end_s is None
            else self.executors.rescaling(start_s, end_s),
        }

    def _log_start(self, event: Mapping[str, Any]) -> None:
        self.versions["spark"] = str(event["Spark Version"])

    def _environment(self, event: Mapping[str, Any]) -> None:
        self.properties = Properties({**self.properties.spark, **_pairs(event.get("Spark Properties"))})
        machine = _pairs(event.get("JVM Information"))
        for name, key in (("java", "Java Version"), ("scala", "Scala Version")):
            if key in machine:
                self.versions[name] = machine[key].removeprefix("version ").partition(" (")[0]

    def _application_start(self, event: Mapping[str, Any]) -> None:
        self.start_s = _seconds(event["Timestamp"])
        self.app_name = str(event.get("App Name") or "")
        self.application_id = str(event.get("App ID") or "")
        self.attempt_id = str(event.get("App Attempt ID") or "")

    def _application_end(self, event: Mapping[str, Any]) -> None:
        self.end_s = _seconds(event["Timestamp"])

    def _executor_added(self, event: Mapping[str, Any]) -> None:
        self.executors.added(_seconds(event["Timestamp"]), str(event["Executor ID"]))

    def _executor_removed(self, event: Mapping[str, Any]) -> None:
        self.executors.removed(_seconds(event["Timestamp"]), str(event["Executor ID"]))

    def _job_start(self, event: Mapping[str, Any]) -> None:
        stages = [_stage_of(each) for each in event.get("Stage Infos") or ()]
        ids = [stage.stage_id for stage in stages] or [int(each) for each in event.get("Stage IDs") or ()]
        self._jobs[int(event["Job ID"])] = _Job(_seconds(event["Submission Time"]), tuple(ids))
        for stage in stages:
            self._stages[stage.stage_id].setdefault(stage.attempt, stage)

    def _job_end(self, event: Mapping[str, Any]) -> None:
        job_id, end_s = int(event["Job ID"]), _seconds(event["Completion Time"])
        # Where the log was compacted its start may be gone.
        self._jobs.setdefault(job_id, _Job(end_s, ())).end_s = end_s
        self.ended.append(job_id)

    def _stage_changed(self, event: Mapping[str, Any]) -> None:
        stage = _stage_of(event["Stage Info"])
        self._stages[stage.stage_id][stage.attempt] = stage

    def _task_end(self, event: Mapping[str, Any]) -> None:
        if event.get("Task Metrics"):
            key = int(event["Stage ID"]), int(event["Stage Attempt ID"])
            self._sums[key].add(event["Task Metrics"])


_TAKE: dict[str, Callable[[EventLog, Mapping[str, Any]], None]] = {
    "LogStart": EventLog._log_start,
    "EnvironmentUpdate": EventLog._environment,
    "ApplicationStart": EventLog._application_start,
    "ApplicationEnd": EventLog._application_end,
    "ExecutorAdded": EventLog._executor_added,
    "ExecutorRemoved": EventLog._executor_removed,
    "JobStart": EventLog._job_start,
    "JobEnd": EventLog._job_end,
    "StageSubmitted": EventLog._stage_changed,
    "StageCompleted": EventLog._stage_changed,
    "TaskEnd": EventLog._task_end,
}


def read(path: Path) -> Application:
    """The run of a log: a file, or a folder of rolled ones.

    Raises
    ------
    Invalid
        It is no event log of Spark, or is compressed in a way that cannot be read.
    """
    return of_lines(lines(path), path.name).application()


def of_lines(events: Iterable[bytes], name: str) -> EventLog:
    """
    Raises
    ------
    Invalid
        There is nothing of an application in `events`; `name` is told.
    """
    log = EventLog()
    for line in events:
        log.feed(line)
    if not log.known:
        raise Invalid(
            f"{name} is no event log of Spark: no application starts in it. Send what spark.eventLog.dir holds: a file "
            "whose lines are events, or an eventlog_v2_… folder"
        )
    return log


def _stage_of(told: Mapping[str, Any]) -> Stage:
    rdds = told.get("RDD Info") or ()
    start, end = told.get("Submission Time"), told.get("Completion Time")
    return Stage(
        stage_id=int(told["Stage ID"]),
        name=str(told.get("Stage Name") or ""),
        attempt=int(told.get("Stage Attempt ID") or 0),
        parents=tuple(int(each) for each in told.get("Parent IDs") or ()),
        num_tasks=max(0, int(told.get("Number of Tasks") or 0)),
        start_s=None if start is None else _seconds(start),
        end_s=None if end is None else _seconds(end),
        failure_reason=str(told["Failure Reason"])[:500] if told.get("Failure Reason") else None,
        rdd_num_partitions=_total(rdds, "Number of Partitions"),
        rdd_num_cached_partitions=_total(rdds, "Number of Cached Partitions"),
        rdd_mem_size=_total(rdds, "Memory Size"),
        rdd_disk_size=_total(rdds, "Disk Size"),
    )


def _total(rdds: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(max(0, int(rdd.get(name) or 0)) for rdd in rdds)


def _pairs(told: Any) -> dict[str, str]:
    """Properties as an object, or as a list of pairs (Spark 2)."""
    pairs = told.items() if isinstance(told, Mapping) else told or ()
    return {str(key): str(value) for key, value in pairs}


def _seconds(milliseconds: Any) -> float:
    return float(milliseconds) / 1000.0
