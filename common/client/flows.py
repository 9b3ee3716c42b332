"""What a client does, step by step, without doing it: generators that yield calls and waits, and decide by the answers.

`Client` and `AsyncClient` run the same flows, one by blocking and one by awaiting.
"""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from common.client.calls import Answer, Call, Emit, Flow, Lost, Repeat, Sleep
from common.client.errors import AtollClientError, StillRunning, problem_of, refused, unreachable, unsuccessful
from common.client.retry import WAITING, Policy, next_poll_s, next_try_s
from common.client.routes import route_of
from common.client.view import JobView
from common.clock import Clock, SystemClock, new_id

# What control means in headers; all other control goes into the query.
_CONTROL_HEADERS = {"idempotency_key": "Idempotency-Key", "callback_url": "X-Callback-Url"}
_LOG_PAGE = 1000
_KEY_PAGE = 1000
# What of a key may be shown: `atl_` and its id.
_KEY_PREFIX, _KEY_PREFIX_CHARS = "atl_", 16
_Changed = Callable[[JobView], object]


class Flows:
    """The flows of one client; it remembers models' paths."""

    def __init__(
        self, url: str, policy: Policy, clock: Clock | None = None, dice: Callable[[], float] = random.random
    ) -> None:
        self._url = url
        self._policy = policy
        self._clock = clock or SystemClock()
        self._dice = dice
        self._paths: dict[tuple[str, str], str] = {}

    def send(self, call: Call, policy: Policy | None = None) -> Flow[Answer]:
        """The answer to `call`, made again where that helps.

        Raises
        ------
        AtollClientError
            The answer is an error, or none came.
        """
        policy = policy or self._policy
        began_s = self._clock.monotonic_s()
        tries = 0
        while True:
            outcome: Answer | Lost = yield call
            tries += 1
            if isinstance(outcome, Answer) and (outcome.status < 300 or outcome.status == 304):
                return outcome
            elapsed_s = self._clock.monotonic_s() - began_s
            delay_s = next_try_s(call, outcome, tries, elapsed_s, policy, self._dice())
            if delay_s is None:
                raise refused(outcome) if isinstance(outcome, Answer) else unreachable(outcome, self._url, tries)
            yield Sleep(delay_s)

    def get(self, path: str, **query: Any) -> Flow[Any]:
        answer = yield from self.send(Call("GET", path, _given(query)))
        return self._json(answer)

    def predict(self, target: str, body: Any, control: Mapping[str, Any], on_change: _Changed | None) -> Flow[Any]:
        """The prediction. The server may queue what takes long; then its job is waited for."""
        answer = yield from self._post(target, "predict", body, control, {}, Repeat.UNLESS_SLOW)
        if not is_job(answer):
            return answer.value
        return (yield from self.result(JobView(answer.value), None, on_change))

    def predict_queued(self, target: str, body: Any, control: Mapping[str, Any]) -> Flow[dict[str, Any]]:
        """The job that was accepted."""
        headers = {"Prefer": "respond-async"}
        answer = yield from self._post(target, "predict", body, control, headers, Repeat.ALWAYS)
        return _job(answer, target)

    def train(self, model: str, body: Any, control: Mapping[str, Any]) -> Flow[dict[str, Any]]:
        """The job that was accepted."""
        answer = yield from self._post(model, "train", body, control, {}, Repeat.ALWAYS)
        return _job(answer, model)

    def set_alias(self, model: str, alias: str, version: int) -> Flow[dict[str, Any]]:
        body = orjson.dumps({"version": version})
        path = f"/registry/{_part(model)}/aliases/{_part(alias)}"
        answer = yield from self.send(Call("PUT", path, headers=_JSON, body=body))
        value: dict[str, Any] = answer.value
        return value

    def registry(
        self, model: str | None, version: int | None, before: int | None = None, limit: int | None = None
    ) -> Flow[Any]:
        if model is None:
            return (yield from self.get("/registry"))
        if version is None:
            return (yield from self.get(f"/registry/{_part(model)}", before=before, limit=limit))
        return (yield from self.get(f"/registry/{_part(model)}/versions/{version}"))

    def keys(self, with_revoked: bool) -> Flow[None]:
        """Emits keys, page by page."""
        include, before = ("revoked" if with_revoked else None), None
        while True:
            page = yield from self.get("/keys", include=include, before=before, limit=_KEY_PAGE)
            yield Emit(page["keys"])
            before = page["next"]
            if before is None:
                return

    def create_key(self, expires_at: datetime | None, **wanted: Any) -> Flow[dict[str, Any]]:
        """The key that was made. Not sent twice: the first may have been made, and nobody would know it."""
        body = orjson.dumps(_given(wanted | {"expires_at": zoned(expires_at)}))
        answer = yield from self.send(Call("POST", "/keys", headers=_JSON, body=body, repeat=Repeat.UNLESS_SENT))
        value: dict[str, Any] = self._json(answer)
        return value

    def revoke_key(self, key_id: str) -> Flow[dict[str, Any]]:
        answer = yield from self.send(Call("DELETE", key_place(key_id)))
        value: dict[str, Any] = self._json(answer)
        return value

    def jobs(self, since: datetime | None = None, until: datetime | None = None, **filters: Any) -> Flow[None]:
        """Emits jobs, page by page."""
        filters |= {"created_after": zoned(since), "created_before": zoned(until)}
        cursor = None
        while True:
            page = yield from self.get("/jobs", cursor=cursor, **filters)
            yield Emit(page["jobs"])
            cursor = page["next"]
            if cursor is None:
                return

    def refresh(self, job: JobView, policy: Policy | None = None) -> Flow[tuple[bool, float | None]]:
        """Whether `job` has changed, and how long the server wants to be left alone."""
        headers = {"If-None-Match": job.etag} if job.etag else {}
        answer = yield from self.send(Call("GET", job.place, headers=headers), policy)
        if answer.status == 304:
            return False, answer.retry_after_s
        job.update(self._json(answer), answer.headers.get("etag"))
        return True, answer.retry_after_s

    def wait(self, job: JobView, timeout_s: float | None, on_change: _Changed | None = None) -> Flow[None]:
        """Until `job` has finished, with all that belongs to its end. Raises `StillRunning`."""
        began_s = self._clock.monotonic_s()
        unchanged = 0
        # Whoever is to be told has not seen it yet, even if we have.
        is_news = True
        while True:
            changed, asked_s = yield from self.refresh(job, WAITING)
            if on_change is not None and (changed or is_news):
                on_change(job)
            is_news = False
            if job.is_settled:
                return
            unchanged = 0 if changed else unchanged + 1
            delay_s = next_poll_s(unchanged, asked_s)
            if timeout_s is not None:
                left_s = timeout_s - (self._clock.monotonic_s() - began_s)
                if left_s <= 0:
                    raise StillRunning(f"{job.noun} {job.id} is {job.state} after {timeout_s:g} s; it goes on")
                delay_s = min(delay_s, left_s)
            yield Sleep(delay_s)

    def result(self, job: JobView, timeout_s: float | None, on_change: _Changed | None = None) -> Flow[Any]:
        """What the direct call would have answered. Raises `JobUnsuccessful`, `StillRunning`."""
        if not job.is_finished:
            yield from self.wait(job, timeout_s, on_change)
        # Not by `send`: an error kept as the job's answer is no error of this call, and its 503 will not go away.
        call = Call("GET", f"{job.place}/result")
        if job.has_succeeded:
            answer = yield from self.send(call)
            return answer.value
        outcome: Answer | Lost = yield call
        if isinstance(outcome, Lost):
            raise unreachable(outcome, self._url, 1)
        # Where none is kept, the answer is about this call; what went wrong stands in the job.
        is_kept = not str(problem_of(outcome).get("instance", "")).endswith(call.path)
        raise unsuccessful(job.id, job.state, job.error, outcome if is_kept else None)

    def logs(self, job: JobView, after: int, follow: bool) -> Flow[None]:
        """Emits lines of the log: those that there are, or all until the job has finished."""
        quiet = 0
        while True:
            # Before the lines are read: what a job wrote last is there once it has finished.
            was_finished = job.is_finished
            lines = yield from self.get(f"{job.place}/logs", after=after, limit=_LOG_PAGE)
            if lines:
                after = lines[-1]["seq"]
                yield Emit(lines)
            if len(lines) == _LOG_PAGE:
                continue
            if not follow or was_finished:
                return
            changed, asked_s = yield from self.refresh(job, WAITING)
            if not job.is_finished:
                quiet = 0 if changed or lines else quiet + 1
                yield Sleep(next_poll_s(quiet, asked_s))

    def cancel(self, job: JobView) -> Flow[None]:
        """One that is cancelled already stays so."""
        try:
            answer = yield from self.send(Call("DELETE", job.place))
        except AtollClientError as exc:
            if exc.status != 409:
                raise
            yield from self.refresh(job)
            if job.state != "cancelled":
                raise
        else:
            job.update(self._json(answer))

    def retry(self, job: JobView) -> Flow[None]:
        answer = yield from self.send(Call("POST", f"{job.place}/retry", repeat=Repeat.UNLESS_SENT))
        job.update(self._json(answer))

    def _post(
        self, target: str, verb: str, body: Any, control: Mapping[str, Any], headers: Mapping[str, str], repeat: Repeat
    ) -> Flow[Answer]:
        path = yield from self._path(target, verb)
        control_headers, query = split_control(control)
        content = body if isinstance(body, bytes) else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        call = Call("POST", path, query, {**_JSON, **headers, **control_headers}, content, repeat)
        try:
            return (yield from self.send(call))
        except AtollClientError as exc:
            if exc.status == 404:
                # The server may have been replaced by one that has it elsewhere.
                self._paths.pop((target, verb), None)
            raise

    def _json(self, answer: Answer) -> Any:
        if not answer.is_json:
            given = answer.content_type or "nothing"
            raise AtollClientError(f"{self._url} answered {given} where Atoll answers JSON; is the address right?")
        return answer.value

    def _path(self, target: str, verb: str) -> Flow[str]:
        if target.startswith("/"):
            return target
        if (target, verb) not in self._paths:
            models = yield from self.get("/models")
            self._paths[target, verb] = route_of(models, target, verb)
        return self._paths[target, verb]


def split_control(control: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Control as headers and query; an `Idempotency-Key` is made up, so that a repeated call makes no second job."""
    given = {"idempotency_key": new_id(), **_given(control)}
    headers = {header: str(given.pop(name)) for name, header in _CONTROL_HEADERS.items() if name in given}
    deadline_s = given.pop("deadline_s", None)
    if deadline_s is not None:
        headers["X-Timeout-Ms"] = str(round(deadline_s * 1000))
    return headers, given


_JSON = {"Content-Type": "application/json"}


def zoned(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC; a time without a zone is this machine's."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _part(text: str) -> str:
    """As one part of a path, whatever it is."""
    return quote(text, safe="")


def key_place(key_id: str) -> str:
    """Of a key by its id, its prefix, or itself, whose secret is not sent: addresses are logged."""
    return f"/keys/{_part(key_id[:_KEY_PREFIX_CHARS] if key_id.startswith(_KEY_PREFIX) else key_id)}"


def is_job(answer: Answer) -> bool:
    """Whether the request was queued."""
    return answer.status == 202 and "/jobs/" in answer.headers.get("location", "")


def _job(answer: Answer, target: str) -> dict[str, Any]:
    if not is_job(answer):
        raise AtollClientError(f"{target} answered at once ({answer.status}); it cannot be queued")
    value: dict[str, Any] = answer.value
    return value
