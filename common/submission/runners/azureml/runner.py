"""Azure Machine Learning behind the runners' base.

A job's name is the submission's, and Azure Machine Learning has each name once: asked again it answers with the job
that is there, so there are no twins.
"""

import io
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Partition, Submission
from common.submission.runners.azureml import jobs, states
from common.submission.runners.azureml.client import Blobs, Manager
from common.submission.runners.azureml.config import AzureMlConfig
from common.submission.runners.base import Runner
from common.submission.runners.objects.archive import Damaged, pack, unpack
from common.submission.runners.objects.manifest import PLACES, Slot, manifest, parse_end
from common.submission.spec import TaskSpec

_MAX_SMALL_BYTES = 10_000
# A package up to so much is put together in memory.
_SPOOLED_BYTES = 16 << 20
_COMPUTES_KEPT_S = 300.0
# Newest first; what is not among so many is asked for by name.
_MAX_PAGES = 10


class AzureMlRunner(Runner):
    """One workspace.

    A round of `observe` is one list of Atoll's jobs, in pages; a task that has just finished needs a look into the
    container, since the service tells no exit codes.
    """

    kind = "azure-ml"

    def __init__(self, config: AzureMlConfig) -> None:
        super().__init__(config)
        self._settings = config
        self._manager = Manager(config)
        self._blobs = Blobs(config)
        self._lock = threading.Lock()
        self._made: set[str] = set()
        self._computes: tuple[float, tuple[str, ...]] = (0.0, ())

    def info(self) -> ClusterInfo:
        try:
            self._blobs.check()
            partitions = self._partitions()
        except ClusterDown as exc:
            return ClusterInfo("down", exc.detail)
        missing = sorted(set(self._settings.partitions) - {partition.name for partition in partitions})
        if missing or not partitions:
            return ClusterInfo("degraded", f"there is no compute {', '.join(missing)}".rstrip(), partitions=partitions)
        bad = [partition.name for partition in partitions if partition.state != "up"]
        detail = f"computes that take nothing: {', '.join(bad)}" if bad else ""
        return ClusterInfo("degraded" if bad else "up", detail, self._settings.api_version, partitions)

    def check(self, spec: TaskSpec) -> None:
        jobs.check(spec, self._settings, self._settings.partitions or self._known_computes())

    def preview(self, task: Submission) -> str:
        name, version, body = jobs.environment(task.spec, self._settings)
        shown: dict[str, Any] = {} if body is None else {f"PUT environments/{name}/versions/{version}": body}
        shown[f"PUT jobs/{task.name}"] = jobs.job(task, self._settings, "<signed address>")
        return json.dumps(shown, indent=2, ensure_ascii=False)

    def find(self, task: Submission) -> str | None:
        return None if self._job(task.name) is None else task.name

    def submit(self, task: Submission, package: Package) -> str:
        if (found := self.find(task)) is not None:
            return found
        url = self._place(task, package)
        self._make_environment(task.spec)
        try:
            made = self._manager.put(f"jobs/{task.name}", "making the job", jobs.job(task, self._settings, url))
        except ClusterRefused:
            # Somebody was faster, and it cannot be changed any more.
            if self._job(task.name) is None:
                raise
            return task.name
        return str(made.get("name", task.name))

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        wanted = {task.name for task in known}
        if not wanted:
            return []
        found = {name: job for name, job in self._listed(wanted).items() if name in wanted}
        for name in wanted - found.keys():
            if (job := self._job(name)) is not None:
                found[name] = job
        return [self._observation(job) for job in found.values()]

    def cancel(self, known: Known) -> None:
        job = self._job(known.name)
        if job is None or states.observe(job).state.is_finished:
            return
        try:
            self._manager.post(f"jobs/{known.name}/cancel", "cancelling the job")
        except ClusterRefused as exc:
            job = self._job(known.name)
            # It may have finished meanwhile.
            if job is not None and not states.observe(job).state.is_finished:
                raise ClusterDown(exc.detail) from None

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        found = self._blobs.read(f"{known.name}/{PLACES.log(element)}", offset, limit)
        return found if found is not None else LogPart(b"", offset)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        with self._blobs.open(f"{known.name}/{PLACES.log(None)}") as parts:
            if parts is not None:
                yield PLACES.log(None), parts
        with self._blobs.open(f"{known.name}/{PLACES.output(None)}") as parts:
            if parts is not None:
                try:
                    yield from unpack(cast(IO[bytes], io.BufferedReader(_Parts(parts))), "output")
                except Damaged:
                    # Cut short while it was put there; the log is all there is.
                    return

    def clean(self, known: Known) -> None:
        self._blobs.remove(known.name)

    def close(self) -> None:
        self._manager.close()
        self._blobs.close()

    def _job(self, name: str) -> Any:
        return self._manager.get(f"jobs/{name}", "looking for the job")

    def _listed(self, wanted: set[str]) -> dict[str, Any]:
        """Atoll's jobs by name, until all that are wanted are among them."""
        action = "listing jobs"
        page = self._manager.get("jobs", action, {"tag": jobs.TAG})
        found: dict[str, Any] = {}
        for _ in range(_MAX_PAGES):
            if page is None:
                raise ClusterDown(f"Azure at {action}: there is no such workspace")
            found |= {str(job["name"]): job for job in page.get("value", [])}
            if wanted <= found.keys() or not page.get("nextLink"):
                break
            page = self._manager.following(str(page["nextLink"]), action)
        return found

    def _observation(self, job: dict[str, Any]) -> Observation:
        seen = states.observe(job)
        if not seen.state.is_finished:
            return seen
        told = self._blobs.read(f"{seen.name}/{PLACES.end(None)}", 0, _MAX_SMALL_BYTES)
        end = parse_end(told.content) if told else None
        has_begun = end is not None or self._blobs.read(f"{seen.name}/{PLACES.claim}", 0, 1) is not None
        return states.with_end(seen, end, has_begun=has_begun)

    def _place(self, task: Submission, package: Package) -> str:
        """Put a package and its manifest into the container; the manifest's signed address."""
        with tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as file:
            pack(package, cast(IO[bytes], file))
            size_bytes = file.tell()
            file.seek(0)
            self._blobs.write(f"{task.name}/{PLACES.package}", cast(IO[bytes], file), size_bytes)
        slot = Slot(
            None,
            {
                "log": self._address(task, PLACES.log(None), "cw"),
                "output": self._address(task, PLACES.output(None), "cw"),
                "end": self._address(task, PLACES.end(None), "cw"),
                "claim": self._address(task, PLACES.claim, "cw"),
                "owner": self._address(task, PLACES.claim, "r"),
            },
        )
        text = manifest(
            self._address(task, PLACES.package, "r"),
            [slot],
            limit_s=jobs.time_limit_s(task.spec, self._settings),
            log_every_s=self._settings.log_every_s,
        )
        self._blobs.write(f"{task.name}/{PLACES.manifest}", text, len(text))
        return self._address(task, PLACES.manifest, "r")

    def _address(self, task: Submission, place: str, permissions: str) -> str:
        return self._blobs.address(f"{task.name}/{place}", permissions, jobs.URL_S)

    def _make_environment(self, spec: TaskSpec) -> None:
        """Make the environment of an image, once."""
        name, version, body = jobs.environment(spec, self._settings)
        with self._lock:
            if body is None or name in self._made:
                return
        path = f"environments/{name}/versions/{version}"
        if self._manager.get(path, "looking for the environment") is None:
            self._manager.put(path, "making the environment", body)
        with self._lock:
            self._made.add(name)

    def _partitions(self) -> list[Partition]:
        action = "listing computes"
        page = self._manager.get("computes", action)
        found: list[dict[str, Any]] = []
        while True:
            if page is None:
                raise ClusterDown(f"Azure at {action}: there is no such workspace")
            found += page.get("value", [])
            if not page.get("nextLink"):
                break
            page = self._manager.following(str(page["nextLink"]), action)
        allowed = self._settings.partitions
        partitions = [_partition(one, self._settings) for one in found if not allowed or one["name"] in allowed]
        with self._lock:
            self._computes = (time.monotonic(), tuple(sorted(partition.name for partition in partitions)))
        return partitions

    def _known_computes(self) -> tuple[str, ...]:
        with self._lock:
            asked_at, names = self._computes
        return names if names and time.monotonic() - asked_at < _COMPUTES_KEPT_S else ()


def _partition(compute: dict[str, Any], config: AzureMlConfig) -> Partition:
    about = compute.get("properties", {})
    scale = about.get("properties") or {}
    state = "up" if about.get("provisioningState", "Succeeded") in ("Succeeded", "Updating") else "down"
    states_of_nodes = scale.get("nodeStateCounts") or {}
    return Partition(
        name=str(compute["name"]),
        state=state,
        is_default=compute["name"] == config.default_partition,
        nodes=(scale.get("scaleSettings") or {}).get("maxNodeCount"),
        idle_nodes=states_of_nodes.get("idleNodeCount"),
    )


class _Parts(io.RawIOBase):
    """A stream of parts as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                self._left = next(self._parts)
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
