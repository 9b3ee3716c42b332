"""What the clients do with tasks: users' programs on clusters."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from common.client import tasks_flows, uploads
from common.client.calls import Call, Flow
from common.client.flows import Flows
from common.client.programs import read_inputs, read_program, replacing
from common.client.progress import Progress, showing
from common.client.registry import AsyncRegistryCalls, RegistryCalls
from common.client.tasks_view import TaskView
from common.client.uploads import Told


class TaskCalls(RegistryCalls):
    """Part of `Client`."""

    flows: Flows

    @abstractmethod
    def iterate(self, flow: Flow[None]) -> Iterator[Any]:
        """Do what a flow asks as long as somebody wants its items."""

    def submit_task(
        self,
        program: Path | str,
        config: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[Path | str] = (),
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> "Task":
        """Send a program to a cluster; returns as soon as it is accepted.

        Parameters
        ----------
        program : a `.py`, `.sh` or `.zip` file, or a folder, which is packed.
        config : what `POST /tasks` takes (docs/tasks.md): `cluster`, `parameters`, `dataset`, `image`, `time_limit`,
            `memory`, `cpus`, …; `fields` are added to it.
        inputs : files that lie in `ATOLL_INPUT_DIR` when the program begins.
        idempotency_key : the same key is the same task; one is made up.

        Raises
        ------
        ValueError
            The program is none.
        OSError
            It, or an input, cannot be read.
        """
        name, content, sent = read_program(Path(program)), dict(config or {}) | fields, read_inputs(inputs)
        return Task(self, self.run(tasks_flows.submit(self.flows, content, *name, sent, idempotency_key)))

    def preview_task(
        self,
        program: Path | str,
        config: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[Path | str] = (),
        **fields: Any,
    ) -> str:
        """The script or manifest that `submit_task` would hand to the cluster; nothing is submitted."""
        name, content, sent = read_program(Path(program)), dict(config or {}) | fields, read_inputs(inputs)
        told: str = self.run(tasks_flows.preview(self.flows, content, *name, sent))
        return told

    def task(self, task_id: str) -> "Task":
        """The task of that id."""
        return Task(self, {"id": task_id}).refresh()

    def tasks(
        self,
        *,
        state: str | Sequence[str] | None = None,
        cluster: str | None = None,
        owner: str | None = None,
        page_size: int = 100,
    ) -> "Iterator[Task]":
        """Tasks, newest first; pages are read as the iteration comes to them."""
        flow = tasks_flows.tasks(self.flows, state=state, cluster=cluster, owner=owner, limit=page_size)
        return (Task(self, data) for data in self.iterate(flow))

    def clusters(self) -> list[dict[str, Any]]:
        """The clusters, and how each is: `name`, `kind`, `state`, `partitions`, …"""
        found: list[dict[str, Any]] = self.run(tasks_flows.clusters(self.flows))
        return found

    def cluster(self, name: str) -> dict[str, Any]:
        """The cluster of that name, and how it is."""
        found: dict[str, Any] = self.run(self.flows.get(f"/clusters/{quote(name, safe='')}"))
        return found

    def upload_input(self, file: Path | str, *, resume: str | None = None, told: Told | None = None) -> dict[str, Any]:
        """Send an input of tasks in parts; a config names it: `inputs=[{"path": "big.csv", "upload": <its id>}]`.

        Parameters
        ----------
        resume : id of an upload of the same file that broke off: only the missing parts are sent.
        told : called with how many parts of how many are there.

        Raises
        ------
        ValueError
            The upload to go on with is one of another file.
        OSError
            The file cannot be read.
        """
        made: dict[str, Any] = self.run(uploads.upload(self.flows, uploads.INPUTS, Path(file), {}, resume, told))
        return made

    def input_upload(self, upload_id: str) -> dict[str, Any]:
        """How far an upload is: the parts that are `received`."""
        found: dict[str, Any] = self.run(self.flows.get(uploads.one(uploads.INPUTS, upload_id)))
        return found

    def drop_input(self, upload_id: str) -> None:
        """Drop an upload; tasks that were made with it keep it."""
        self.run(self.flows.send(Call("DELETE", uploads.one(uploads.INPUTS, upload_id))))


class Task(TaskView):
    """A task on the server, as it was when last looked at; `refresh` and `wait` look again."""

    def __init__(self, client: TaskCalls, data: dict[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    def refresh(self) -> Self:
        """Look again; costs next to nothing where nothing has changed."""
        self._client.run(self._client.flows.refresh(self))
        return self

    def wait(self, timeout_s: float | None = None, progress: Progress = False) -> Self:
        """Until it has finished, well or not, and its files are there.

        Raises
        ------
        StillRunning
            It has not finished after `timeout_s`; it goes on.
        """
        with showing(progress) as on_change:
            self._client.run(self._client.flows.wait(self, timeout_s, on_change))
        return self

    def logs(self, *, follow: bool = False, element: int | None = None, tail: int | None = None) -> Iterator[str]:
        """Lines of what the program wrote; with `follow` as they come, until it has finished.

        Parameters
        ----------
        element : of an array.
        tail : begin with the last lines, so many.
        """
        return self._client.iterate(tasks_flows.logs(self._client.flows, self, element, follow, tail))

    def files(self) -> list[dict[str, Any]]:
        """What it left: `path` and `size_bytes` of each file."""
        found: list[dict[str, Any]] = self._client.run(tasks_flows.files(self._client.flows, self))
        return found

    def read(self, path: str) -> Iterator[bytes]:
        """The bytes of a file that it left, in parts."""
        return self._client.iterate(tasks_flows.download(self._client.flows, self, path))

    def download(self, path: str, target: Path | str) -> Path:
        """Write a file that it left to `target`; nothing is left there if it breaks off."""
        with replacing(Path(target)) as part, part.open("wb") as file:
            for content in self.read(path):
                file.write(content)
        return Path(target)

    def cancel(self) -> Self:
        """Have it stopped; one that runs does so a little later."""
        self._client.run(self._client.flows.cancel(self))
        return self

    def retry(self) -> Self:
        """Run it again, as a new attempt; only one that has come to nothing can be."""
        self._client.run(self._client.flows.retry(self))
        return self


class AsyncTaskCalls(AsyncRegistryCalls):
    """Part of `AsyncClient`; parameters and errors are those of `TaskCalls`."""

    flows: Flows

    @abstractmethod
    def iterate(self, flow: Flow[None]) -> AsyncIterator[Any]:
        """Do what a flow asks as long as somebody wants its items."""

    async def submit_task(
        self,
        program: Path | str,
        config: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[Path | str] = (),
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> "AsyncTask":
        name, content, sent = read_program(Path(program)), dict(config or {}) | fields, read_inputs(inputs)
        return AsyncTask(self, await self.run(tasks_flows.submit(self.flows, content, *name, sent, idempotency_key)))

    async def preview_task(
        self,
        program: Path | str,
        config: Mapping[str, Any] | None = None,
        *,
        inputs: Sequence[Path | str] = (),
        **fields: Any,
    ) -> str:
        name, content, sent = read_program(Path(program)), dict(config or {}) | fields, read_inputs(inputs)
        told: str = await self.run(tasks_flows.preview(self.flows, content, *name, sent))
        return told

    async def task(self, task_id: str) -> "AsyncTask":
        return await AsyncTask(self, {"id": task_id}).refresh()

    async def tasks(
        self,
        *,
        state: str | Sequence[str] | None = None,
        cluster: str | None = None,
        owner: str | None = None,
        page_size: int = 100,
    ) -> "AsyncIterator[AsyncTask]":
        flow = tasks_flows.tasks(self.flows, state=state, cluster=cluster, owner=owner, limit=page_size)
        async for data in self.iterate(flow):
            yield AsyncTask(self, data)

    async def clusters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.run(tasks_flows.clusters(self.flows))
        return found

    async def cluster(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.run(self.flows.get(f"/clusters/{quote(name, safe='')}"))
        return found

    async def upload_input(
        self, file: Path | str, *, resume: str | None = None, told: Told | None = None
    ) -> dict[str, Any]:
        made: dict[str, Any] = await self.run(uploads.upload(self.flows, uploads.INPUTS, Path(file), {}, resume, told))
        return made

    async def input_upload(self, upload_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.run(self.flows.get(uploads.one(uploads.INPUTS, upload_id)))
        return found

    async def drop_input(self, upload_id: str) -> None:
        await self.run(self.flows.send(Call("DELETE", uploads.one(uploads.INPUTS, upload_id))))


class AsyncTask(TaskView):
    """`Task` for asyncio."""

    def __init__(self, client: AsyncTaskCalls, data: dict[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    async def refresh(self) -> Self:
        await self._client.run(self._client.flows.refresh(self))
        return self

    async def wait(self, timeout_s: float | None = None, progress: Progress = False) -> Self:
        with showing(progress) as on_change:
            await self._client.run(self._client.flows.wait(self, timeout_s, on_change))
        return self

    def logs(self, *, follow: bool = False, element: int | None = None, tail: int | None = None) -> AsyncIterator[str]:
        return self._client.iterate(tasks_flows.logs(self._client.flows, self, element, follow, tail))

    async def files(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._client.run(tasks_flows.files(self._client.flows, self))
        return found

    def read(self, path: str) -> AsyncIterator[bytes]:
        return self._client.iterate(tasks_flows.download(self._client.flows, self, path))

    async def download(self, path: str, target: Path | str) -> Path:
        with replacing(Path(target)) as part, part.open("wb") as file:
            async for content in self.read(path):
                file.write(content)
        return Path(target)

    async def cancel(self) -> Self:
        await self._client.run(self._client.flows.cancel(self))
        return self

    async def retry(self) -> Self:
        await self._client.run(self._client.flows.retry(self))
        return self
