"""What a client raises.

::

    AtollClientError        the server refused, or failed
    ├── Unreachable         no answer came
    ├── JobUnsuccessful     the job ended, but not with success
    └── StillRunning        the job has not finished in the time given; also a TimeoutError
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from common.client.calls import Answer, Lost

_SHOWN_CHARS = 200


class AtollClientError(Exception):
    """Its text is a sentence for people.

    Attributes
    ----------
    status : of the answer; None where none came, or none was wrong.
    problem : the body of the answer (RFC 9457: `type`, `title`, `detail`, `errors`, …); empty if it was none.
    request_id : by which the server's log knows the request.
    retry_after_s : when the server wants to be asked again.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        problem: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.message = message
        self.status = status
        self.problem = dict(problem or {})
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        super().__init__(message)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The wrong fields, each with `field`, `message` and `value`."""
        found = self.problem.get("errors")
        return found if isinstance(found, list) else []


class Unreachable(AtollClientError):
    """No answer came, however often it was tried."""


class JobUnsuccessful(AtollClientError):
    """The job failed, is dead, or was cancelled; `state` says which. `status` and `problem` are those of its answer."""

    def __init__(self, message: str, *, job_id: str, state: str, **more: Any) -> None:
        super().__init__(message, **more)
        self.job_id = job_id
        self.state = state


class StillRunning(AtollClientError, TimeoutError):
    """The job goes on; only the waiting has ended."""


def refused(answer: Answer) -> AtollClientError:
    """The error that an answer is."""
    problem = problem_of(answer)
    request_id = answer.headers.get("x-request-id") or problem.get("request_id")
    return AtollClientError(
        _sentence(answer, problem, request_id),
        status=answer.status,
        problem=problem,
        request_id=request_id,
        retry_after_s=answer.retry_after_s,
    )


def unreachable(lost: Lost, url: str, tries: int) -> Unreachable:
    often = f" ({tries} tries)" if tries > 1 else ""
    return Unreachable(f"no answer from {url}: {lost.reason}{often}; is it running, and is the address right?")


def unsuccessful(job_id: str, state: str, error: str | None, answer: Answer | None = None) -> JobUnsuccessful:
    more: dict[str, Any] = {}
    if answer is not None:
        problem = problem_of(answer)
        more = {"status": answer.status, "problem": problem, "request_id": problem.get("request_id")}
    told = f": {error}" if error else ""
    return JobUnsuccessful(f"job {job_id} is {state}{told}", job_id=job_id, state=state, **more)


def problem_of(answer: Answer) -> dict[str, Any]:
    if not answer.is_json:
        return {}
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _sentence(answer: Answer, problem: Mapping[str, Any], request_id: str | None) -> str:
    status = f"{answer.status} {_phrase(answer.status)}".rstrip()
    detail = problem.get("detail")
    if 300 <= answer.status < 400:
        told = f"moved to {answer.headers.get('location', 'another address')}; use that one"
    elif isinstance(detail, str) and detail:
        told = detail
    else:
        # Old prefixes have shapes of their own, and what stands before the server may answer anything.
        given = orjson.dumps(detail) if detail else answer.body
        told = given[:_SHOWN_CHARS].decode("utf-8", "replace").strip() or "no more is known"
    # The server's own sentence has said some of them.
    fields = [item for item in _fields(problem) if str(item.get("message")) not in told]
    more = "".join(f"\n  {item.get('field')}: {item.get('message')}" for item in fields)
    asked = f" [request {request_id}]" if request_id else ""
    return f"{status}: {told}{asked}{more}"


def _fields(problem: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = problem.get("errors")
    return [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
