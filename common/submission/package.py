"""What lies in a task's folder when it begins, put together from the share."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import Invalid
from common.settings import SubmissionSettings
from common.storage.archives import unpack_tree
from common.storage.blobs import Blobs
from common.submission import script, tracking
from common.submission.records import Package, Task
from common.submission.runners.base import Runner
from common.submission.store import TaskStore

# How files of these kinds begin; a program of one file does not.
_ZIP, _GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"


class Packer:
    """Puts packages together in a folder of this machine, for as long as they are being sent."""

    def __init__(self, store: TaskStore, blobs: Blobs, settings: SubmissionSettings) -> None:
        self._store = store
        self._blobs = blobs
        self._settings = settings

    @contextmanager
    def package(self, task: Task, runner: Runner) -> Iterator[Package]:
        """The package of a task for a cluster.

        Raises
        ------
        Invalid
            The program cannot be unpacked, or has no such entry point.
        FileMissing, CorruptBlob, ShareDown
        """
        spec, config = task.spec, runner.config
        told = tracking.environment(spec, config, task.name)
        files: dict[str, Path | bytes] = {
            script.RUN: script.render(spec, config, task_id=task.id, name=task.name, tracking=told).encode(),
            script.PARAMS: script.params_json(spec),
        }
        with tempfile.TemporaryDirectory(prefix="atoll-task-") as name:
            folder = Path(name)
            files |= {f"{script.PROGRAM}/{path}": file for path, file in self._program(task, folder).items()}
            for given, ref in self._store.inputs(task.id).items():
                files[f"{script.INPUTS}/{given}"] = self._blobs.path(ref)
            dataset = script.dataset_file(spec)
            if dataset is not None and not config.share:
                files[dataset] = self._dataset(f"datasets/{spec.dataset}.csv", folder / "dataset")
            yield Package(files)

    def _program(self, task: Task, folder: Path) -> dict[str, Path]:
        path = self._blobs.path(task.program)
        with path.open("rb") as file:
            beginning = file.read(4)
        ending = ".zip" if beginning.startswith(_ZIP) else ".tar.gz" if beginning.startswith(_GZIP) else ""
        if not ending:
            return {task.spec.entry_point: path}
        most = self._settings.max_unpacked_bytes
        found = unpack_tree(
            path,
            folder / "program",
            max_bytes=most,
            max_files=self._settings.max_unpacked_files,
            filename=f"program{ending}",
        )
        if task.spec.entry_point not in found and task.spec.command is None:
            raise Invalid.field("entry_point", "is not in the archive", task.spec.entry_point)
        return found

    def _dataset(self, path: str, target: Path) -> Path:
        mounted = self._blobs.share.local_path(path)
        if mounted is not None and mounted.is_file():
            return mounted
        with target.open("wb") as file:
            for chunk in self._blobs.share.read(path):
                file.write(chunk)
        return target
