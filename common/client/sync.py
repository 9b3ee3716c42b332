"""The client that blocks."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from common.client import connection
from common.client.calls import Answer, Call, Emit, Flow, Lost, Sleep
from common.client.flows import Flows, key_place
from common.client.inference import InferenceCalls
from common.client.model import Model
from common.client.progress import Progress, showing
from common.client.retry import Policy
from common.client.server_calls import ServerCalls
from common.client.tasks import TaskCalls
from common.client.view import JobView

T = TypeVar("T")


class Client(TaskCalls, ServerCalls, InferenceCalls):
    """A connection to Atoll; close it, or use it in `with`. Safe to use from several threads.

    Parameters
    ----------
    url : address of the server; by default `ATOLL_URL`, else http://127.0.0.1:7071.
    key : API key or token; by default `ATOLL_KEY`.
    timeout_s : the longest to wait for one answer.
    policy : how often and how long a call is repeated that got no answer, 429 or 503.
    transport : another way to the server than the network, for tests.

    Raises
    ------
    ValueError
        The address or the key cannot be used.

    Every method raises `AtollClientError`; `Unreachable` where no answer came.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_s: float = connection.TIMEOUT_S,
        policy: Policy | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = connection.address(url)
        self.flows = Flows(self.url, policy or Policy())
        self._http = httpx.Client(**connection.options(self.url, key, timeout_s), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def models(self) -> list[dict[str, Any]]:
        """The models, their state and routes."""
        return self.run(self.flows.get("/models"))

    def model(self, name: str) -> Model:
        """One model, by the routes that it has of its own."""
        return Model(self, name)

    def params(self) -> list[dict[str, Any]]:
        """What each model asks for."""
        return self.run(self.flows.get("/params"))

    def datasets(self) -> list[dict[str, Any]]:
        """The data sets, and who answers from them."""
        return self.run(self.flows.get("/datasets"))

    @overload
    def predict(
        self, model: str, body: Any, *, queued: Literal[False] = False, progress: Progress = False, **control: Any
    ) -> Any: ...

    @overload
    def predict(self, model: str, body: Any, *, queued: Literal[True], **control: Any) -> "Job": ...

    def predict(
        self, model: str, body: Any, *, queued: bool = False, progress: Progress = False, **control: Any
    ) -> Any:
        """What the model answers; with `queued` the job that will find out.

        Where the server queues the request unasked, because it takes long, its job is waited for.

        Parameters
        ----------
        model : its name, or the path of the route if it begins with `/`.
        body : what JSON can say, NumPy arrays among it; or bytes, which are sent as they are.
        progress : where the request is queued unasked, as in `Job.wait`.
        control : `idempotency_key` (one is made up), `callback_url`, `deadline_s` (of no use after so many seconds);
            any other stands in the query.
        """
        if queued:
            return Job(self, self.run(self.flows.predict_queued(model, body, control)))
        with showing(progress) as on_change:
            return self.run(self.flows.predict(model, body, control, on_change))

    def train(self, model: str, body: Any, **control: Any) -> "Job":
        """Train the model; `control` as in `predict`."""
        return Job(self, self.run(self.flows.train(model, body, control)))

    def job(self, job_id: str) -> "Job":
        """The job of that id."""
        return Job(self, {"id": job_id}).refresh()

    def jobs(
        self,
        *,
        state: str | Sequence[str] | None = None,
        kind: str | None = None,
        model: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 100,
    ) -> "Iterator[Job]":
        """Jobs, newest first; pages are read as the iteration comes to them.

        Parameters
        ----------
        state : one, or any of several.
        since, until : created at that time or later, and before that time; without a zone in this machine's.
        """
        flow = self.flows.jobs(since, until, state=state, kind=kind, model=model, owner=owner, limit=page_size)
        return (Job(self, data) for data in self.iterate(flow))

    @overload
    def registry(self) -> list[dict[str, Any]]: ...

    @overload
    def registry(
        self, model: str, version: int | None = None, *, before: int | None = None, limit: int | None = None
    ) -> dict[str, Any]: ...

    def registry(
        self,
        model: str | None = None,
        version: int | None = None,
        *,
        before: int | None = None,
        limit: int | None = None,
    ) -> Any:
        """Models that have versions; one model's versions, newest first; or one version."""
        return self.run(self.flows.registry(model, version, before, limit))

    def set_alias(self, model: str, alias: str, version: int) -> dict[str, Any]:
        """Point the alias to the version; `default` is what serves."""
        return self.run(self.flows.set_alias(model, alias, version))

    def whoami(self) -> dict[str, Any]:
        """Who the server takes this client for, and what it may do."""
        return self.run(self.flows.get("/keys/self"))

    def list_keys(self, *, with_revoked: bool = False) -> Iterator[dict[str, Any]]:
        """API keys, newest first, without their secrets; pages are read as the iteration comes to them."""
        return self.iterate(self.flows.keys(with_revoked))

    def key(self, key_id: str) -> dict[str, Any]:
        """The API key of that id or prefix, without its secret."""
        return self.run(self.flows.get(key_place(key_id)))

    def create_key(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        expires_in_days: float | None = None,
    ) -> dict[str, Any]:
        """Make an API key; `key` of the answer is the key itself, which nobody is shown again.

        Parameters
        ----------
        scopes : by default `predict` alone.
        models : those it may use; by default all.
        expires_at : without a zone in this machine's; by default it does not expire.
        """
        wanted = {"name": name, "scopes": scopes, "models": models, "expires_in_days": expires_in_days}
        return self.run(self.flows.create_key(expires_at, **wanted))

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        """End an API key for good; one that has been revoked stays so."""
        return self.run(self.flows.revoke_key(key_id))

    def run(self, flow: Flow[T]) -> T:
        """Do what `flow` asks, to its end."""
        told: Answer | Lost | None = None
        while True:
            try:
                wanted = flow.send(told)
            except StopIteration as end:
                outcome: T = end.value
                return outcome
            told = self._do(wanted)

    def iterate(self, flow: Flow[None]) -> Iterator[Any]:
        """Do what `flow` asks as long as somebody wants its items."""
        told: Answer | Lost | None = None
        while True:
            try:
                wanted = flow.send(told)
            except StopIteration:
                return
            if isinstance(wanted, Emit):
                yield from wanted.items
            told = self._do(wanted)

    def _do(self, wanted: Call | Sleep | Emit) -> Answer | Lost | None:
        if isinstance(wanted, Sleep):
            time.sleep(wanted.seconds)
        if not isinstance(wanted, Call):
            return None
        try:
            return Answer.of(self._http.request(**connection.request(wanted)))
        except httpx.RequestError as exc:
            return Lost.of(exc)


class Job(JobView):
    """A job on the server, as it was when last looked at; `refresh` and `wait` look again."""

    def __init__(self, client: Client, data: dict[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    def refresh(self) -> Self:
        """Look again; costs next to nothing where nothing has changed."""
        self._client.run(self._client.flows.refresh(self))
        return self

    def wait(self, timeout_s: float | None = None, progress: Progress = False) -> Self:
        """Until it has finished, well or not.

        Parameters
        ----------
        progress : called with the job whenever it has changed; True draws a bar on standard error.

        Raises
        ------
        StillRunning
            It has not finished after `timeout_s`; it goes on.
        """
        with showing(progress) as on_change:
            self._client.run(self._client.flows.wait(self, timeout_s, on_change))
        return self

    def result(self, timeout_s: float | None = None) -> Any:
        """What the direct call would have answered, waiting for it as `wait` does.

        Raises
        ------
        JobUnsuccessful
            It failed, is dead, or was cancelled.
        StillRunning
        """
        return self._client.run(self._client.flows.result(self, timeout_s))

    def logs(self, *, after: int = 0, follow: bool = False) -> Iterator[dict[str, Any]]:
        """Lines of its log (`seq`, `at`, `level`, `text`); with `follow` as they come, until it has finished."""
        return self._client.iterate(self._client.flows.logs(self, after, follow))

    def trials(self) -> list[dict[str, Any]]:
        """Trials of a training's search so far: number, state, parameters, value."""
        found: list[dict[str, Any]] = self._client.run(self._client.flows.get(f"{self.place}/trials"))
        return found

    def cancel(self) -> Self:
        """Stop it; one that runs is `cancelling` until it has stopped."""
        self._client.run(self._client.flows.cancel(self))
        return self

    def retry(self) -> Self:
        """Run it again; only one that failed or is dead can be."""
        self._client.run(self._client.flows.retry(self))
        return self
