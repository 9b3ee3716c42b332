"""Tells Atoll of a running Spark application, and gives it the executors that Atoll answers with.

For the driver of a PySpark application; needs nothing but Python's own library, so this file alone can be sent along
(`--py-files`). It follows the application's event log, which Spark writes out with each job's start and end; the
application itself is not slowed down, and goes on as it is if Atoll cannot be reached.

    from spark_listener import Listener

    with Listener(spark.sparkContext):
        ...

Settings are the properties `spark.customExtraListener.<key>`: `service` and `port` (or `url`),
`applicationExecutionId`, `applicationSignature` (by default the application's name), `isAdaptive` (by default true),
`restTimeout` (seconds, 5), `initialExecutors`, `key`. An API key is better in the driver's environment, as `ATOLL_KEY`:
Spark shows properties to whoever sees its pages and logs. The log has to be plain:
`spark.eventLog.enabled=true`, `spark.eventLog.compress=false`, `spark.eventLog.rolling.enabled=false`, in a folder of a
file system that the driver sees.
"""

import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("atoll.spark")

PREFIX = "spark.customExtraListener."
UPDATE, PREDICT = "/training/update_information", "/prediction/online_scale_out_prediction"
_POLL_S = 0.2
# How long the end of the application waits for what is still to be told.
_LAST_WORDS_S = 5.0
# How long executors have to go before they are told again.
_AGAIN_S = 5.0


class Events:
    """What the log's lines so far tell, as Atoll's old routes take it. Pure."""

    def __init__(self) -> None:
        self.executors: set[str] = set()
        self._changes: list[tuple[int, int]] = []
        self._jobs: dict[int, dict[str, Any]] = {}
        self._stages: dict[int, dict[str, Any]] = {}
        self._sums: dict[tuple[int, int], dict[str, float]] = {}

    def feed(self, line: str) -> tuple[str, dict[str, Any]] | None:
        """An event for Atoll (`APPLICATION_START`, `JOB_END`, `APPLICATION_END`) and its updates, if there is one."""
        if not line.startswith('{"Event":"SparkListener'):
            return None
        event = json.loads(line)
        name = event["Event"].removeprefix("SparkListener")
        take = getattr(self, f"_on_{name}", None)
        return None if take is None else take(event)

    def _on_ExecutorAdded(self, event: Mapping[str, Any]) -> None:  # noqa: N802 - the event's name
        self.executors.add(event["Executor ID"])
        self._changes.append((event["Timestamp"], len(self.executors)))

    def _on_ExecutorRemoved(self, event: Mapping[str, Any]) -> None:  # noqa: N802
        self.executors.discard(event["Executor ID"])
        self._changes.append((event["Timestamp"], len(self.executors)))

    def _on_JobStart(self, event: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:  # noqa: N802
        is_first = not self._jobs
        stages = event.get("Stage Infos") or []
        now = {"start_time": event["Submission Time"], "start_scale_out": len(self.executors)}
        self._jobs[event["Job ID"]] = {**now, "stages": [stage["Stage ID"] for stage in stages]}
        for stage in stages:
            self._stages.setdefault(stage["Stage ID"], {**_stage(stage), "start_time": None, "end_time": None})
        return ("APPLICATION_START", now) if is_first else None

    def _on_StageSubmitted(self, event: Mapping[str, Any]) -> None:  # noqa: N802
        told = _stage(event["Stage Info"])
        self._stages[told["stage_id"]] = {**told, "start_scale_out": len(self.executors)}

    def _on_TaskEnd(self, event: Mapping[str, Any]) -> None:  # noqa: N802
        metrics = event.get("Task Metrics")
        if metrics:
            sums = self._sums.setdefault((event["Stage ID"], event["Stage Attempt ID"]), {})
            for name, value in _task(metrics).items():
                sums[name] = sums.get(name, 0.0) + value

    def _on_StageCompleted(self, event: Mapping[str, Any]) -> None:  # noqa: N802
        told = _stage(event["Stage Info"])
        before = self._stages.get(told["stage_id"], {})
        sums = self._sums.pop((told["stage_id"], told["attempt_id"]), {})
        self._stages[told["stage_id"]] = {
            **told,
            "start_scale_out": before.get("start_scale_out"),
            "end_scale_out": len(self.executors),
            "rescaling_time_ratio": self._rescaling(told["start_time"], told["end_time"]),
            "metrics": _metrics(sums) if sums else None,
        }

    def _on_JobEnd(self, event: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:  # noqa: N802
        job = self._jobs.get(event["Job ID"], {"stages": []})
        ended = event["Completion Time"]
        return "JOB_END", {
            "job_id": event["Job ID"],
            "start_time": job.get("start_time"),
            "end_time": ended,
            "start_scale_out": job.get("start_scale_out"),
            "end_scale_out": len(self.executors),
            "rescaling_time_ratio": self._rescaling(job.get("start_time"), ended),
            "stages": {str(stage_id): self._of(stage_id, job) for stage_id in job["stages"]},
        }

    def _on_ApplicationEnd(self, event: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:  # noqa: N802
        return "APPLICATION_END", {"end_time": event["Timestamp"], "end_scale_out": len(self.executors)}

    def _of(self, stage_id: int, job: Mapping[str, Any]) -> dict[str, Any]:
        """A stage that an earlier job ran was skipped in this one: it has no times here."""
        told = self._stages[stage_id]
        if told.get("start_time") is not None and told["start_time"] < job["start_time"]:
            return {**told, "start_time": None, "end_time": None, "metrics": None}
        return told

    def _rescaling(self, start: int | None, end: int | None) -> float:
        """The share of the time before the last change of executors; from the first on, where one goes first."""
        if start is None or end is None or end <= start:
            return 0.0
        before = [count for at, count in self._changes if at <= start]
        within = [(at, count) for at, count in self._changes if start < at <= end]
        if not within:
            return 0.0
        began = start if within[0][1] > (before[-1] if before else 0) else within[0][0]
        return (within[-1][0] - began) / (end - start)


class Listener:
    """Follows the event log on a thread of its own, from `start` to `stop`.

    Parameters
    ----------
    context : the application's SparkContext.
    settings : by default the application's own properties.
    """

    def __init__(self, context: Any, settings: Mapping[str, str] | None = None) -> None:
        self._context = context
        own = dict(context.getConf().getAll()) if settings is None else settings
        told = {key.removeprefix(PREFIX).lower(): value for key, value in own.items() if key.startswith(PREFIX)}
        self._url = told.get("url") or f"http://{told.get('service', '127.0.0.1')}:{told.get('port', '7071')}"
        self._id = told.get("applicationexecutionid") or context.applicationId
        self._signature = told.get("applicationsignature") or context.appName
        self._is_adaptive = told.get("isadaptive", "true").lower() == "true"
        self._timeout_s = float(told.get("resttimeout", "5"))
        self._initial = int(told.get("initialexecutors", "0"))
        self._key = os.environ.get("ATOLL_KEY") or told.get("key")
        self._asked_for: int | None = None
        self._trimmed_s = 0.0
        self._predicted: dict[int, int] = {}
        self._events = Events()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="atoll-listener", daemon=True)

    def __enter__(self) -> "Listener":
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> "Listener":
        """Begin, with the initial number of executors where one was given."""
        if self._initial:
            self.request(self._initial)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Tell what is left, and that the application ends."""
        self._stopping.set()
        self._thread.join(_LAST_WORDS_S)

    @property
    def executors(self) -> int:
        """How many the application has now."""
        return len(self._events.executors)

    @property
    def asked_for(self) -> int | None:
        """How many Spark was asked for last; None before the first time."""
        return self._asked_for

    def request(self, count: int) -> None:
        """Have `count` executors from now on; where there are more, the newest go."""
        scala = self._context._jsc.sc()
        helpers = self._context._jvm.PythonUtils
        ids = scala.getExecutorIds()
        present = sorted((str(ids.apply(number)) for number in range(ids.length())), key=lambda one: (len(one), one))
        log.info("%d executors are asked for; there are %d", count, len(present))
        scala.requestTotalExecutors(count, 0, helpers.toScalaMap({}))
        if len(present) > count:
            scala.killExecutors(helpers.toSeq(present[count:]))
        self._asked_for = count

    def _follow(self) -> None:
        path, at, rest = self._log(), 0, b""
        while path is not None:
            is_last = self._stopping.is_set()
            try:
                with path.open("rb") as file:
                    file.seek(at)
                    piece = file.read()
            except FileNotFoundError:
                # Its name changes when the application ends.
                path = self._log()
                continue
            at += len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._take(line.decode(errors="replace"))
            self._keep_to_what_was_asked()
            if is_last:
                self._tell("APPLICATION_END", {"end_time": int(time.time() * 1000), "end_scale_out": self.executors})
                return
            self._stopping.wait(_POLL_S)

    def _keep_to_what_was_asked(self) -> None:
        """Executors that were starting when fewer were asked for come all the same."""
        count, now_s = self._asked_for, time.monotonic()
        if count is not None and self.executors > count and now_s > self._trimmed_s + _AGAIN_S:
            self._trimmed_s = now_s
            try:
                self.request(count)
            except Exception:
                log.warning("executors cannot be given back", exc_info=True)

    def _log(self) -> Path | None:
        folder = self._context.getConf().get("spark.eventLog.dir", "/tmp/spark-events").removeprefix("file:")  # noqa: S108
        plain = Path("/" + folder.lstrip("/")) / str(self._context.applicationId)
        for path in (plain.with_name(plain.name + ".inprogress"), plain):
            if path.exists():
                return path
        log.warning("no plain event log at %s: Atoll is told nothing of this application", plain)
        return None

    def _take(self, line: str) -> None:
        try:
            found = self._events.feed(line)
            if found is not None and found[0] != "APPLICATION_END":
                self._tell(*found)
        except Exception:
            # The application goes on, whatever happens here.
            log.warning("an event is passed over", exc_info=True)

    def _tell(self, event: str, updates: dict[str, Any]) -> None:
        if event == "APPLICATION_START":
            updates = {**updates, "application_signature": self._signature}
        job_id = int(updates.get("job_id", -1))
        if job_id in self._predicted:
            updates = {**updates, "predicted_scale_out": self._predicted[job_id]}
        body = {
            "application_execution_id": self._id,
            "application_id": self._context.applicationId,
            "update_event": event,
            "updates": json.dumps(updates),
        }
        if event != "JOB_END":
            self._post(UPDATE, body)
            return
        answer = self._post(PREDICT, {**body, "job_id": job_id, "predict": self._is_adaptive})
        plan = {int(job): int(count) for job, count in (answer or {}).get("best_predicted_scale_out_per_job", [])}
        self._predicted.update(plan)
        coming = [plan[job] for job in sorted(plan) if job > job_id]
        wanted = coming[0] if coming else None
        if self._is_adaptive and wanted is not None and wanted != (self._asked_for or self.executors):
            self.request(wanted)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        headers = {"Content-Type": "application/json", "X-Rest-Timeout": str(self._timeout_s)}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers)  # noqa: S310 - ours
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s + 1) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            log.warning("Atoll refuses an event: %s %s", error.code, error.read(500).decode(errors="replace"))
        except (OSError, ValueError) as error:
            log.warning("Atoll cannot be reached: %s", error)
        return None


def _stage(told: Mapping[str, Any]) -> dict[str, Any]:
    rdds = told.get("RDD Info") or []

    def total(name: str) -> int:
        return sum(max(0, rdd.get(name) or 0) for rdd in rdds)

    return {
        "stage_id": told["Stage ID"],
        "stage_name": told.get("Stage Name"),
        "attempt_id": told.get("Stage Attempt ID", 0),
        "failure_reason": told.get("Failure Reason"),
        "num_tasks": told.get("Number of Tasks"),
        "parent_stage_ids": told.get("Parent IDs") or [],
        "start_time": told.get("Submission Time"),
        "end_time": told.get("Completion Time"),
        "rdd_num_partitions": total("Number of Partitions"),
        "rdd_num_cached_partitions": total("Number of Cached Partitions"),
        "rdd_mem_size": total("Memory Size"),
        "rdd_disk_size": total("Disk Size"),
    }


def _task(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What is added up over tasks. Milliseconds and bytes."""
    read = metrics.get("Shuffle Read Metrics") or {}
    return {
        "run": metrics.get("Executor Run Time", 0),
        "cpu": metrics.get("Executor CPU Time", 0) / 1e6,
        "gc": metrics.get("JVM GC Time", 0),
        "shuffled": read.get("Remote Bytes Read", 0) + read.get("Local Bytes Read", 0),
        "to_shuffle": (metrics.get("Shuffle Write Metrics") or {}).get("Shuffle Bytes Written", 0),
        "read": (metrics.get("Input Metrics") or {}).get("Bytes Read", 0),
        "written": (metrics.get("Output Metrics") or {}).get("Bytes Written", 0),
        "spilled": metrics.get("Disk Bytes Spilled", 0),
        "memory": metrics.get("Peak Execution Memory", 0),
    }


def _metrics(sums: Mapping[str, float]) -> dict[str, float]:
    """The five ratios, as `importing.metrics` has them."""

    def share(part: str, whole: str) -> float:
        if sums[part] <= 0:
            return 0.0
        return 1.0 if sums[whole] <= 0 else sums[part] / sums[whole]

    return {
        "cpu_utilization": min(1.0, share("cpu", "run")),
        "gc_time_ratio": min(1.0, share("gc", "run")),
        "shuffle_rw_ratio": share("shuffled", "to_shuffle"),
        "data_io_ratio": share("read", "written"),
        "memory_spill_ratio": share("spilled", "memory"),
    }
