"""What an answer of the API server means for a task. Pure.

Asking again later helps with a server that is away, overloaded or being replaced (429, 5xx), that does not take
Atoll's token (401: tokens are renewed) or whose quota is used up (a 403 of its own); nothing else is worth it.
"""

import json
from collections.abc import Mapping
from typing import Any

from common.submission.errors import ClusterDown, ClusterRefused

_SHOWN_CHARS = 1000
_SHOWN_CAUSES = 10
# For a kind of objects that is not there, such as SparkApplications without the operator.
_NO_KIND = "could not find the requested resource"


def status_of(body: object) -> Mapping[str, Any]:
    """The `Status` object of an answer; empty where it is none, e.g. of a proxy on the way."""
    try:
        read = json.loads(body) if isinstance(body, str | bytes) else body
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def told(status: int, body: object) -> str:
    """The server's own words, with the causes it names."""
    answer = status_of(body)
    message = str(answer.get("message") or answer.get("reason") or "").strip()
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    named = [
        f"{cause.get('field', '?')}: {cause.get('message', '')}"
        for cause in (causes if isinstance(causes, list) else [])[:_SHOWN_CAUSES]
        if isinstance(cause, dict)
    ]
    # The message of a 422 repeats its causes.
    more = [text for text in named if text not in message and text.partition(": ")[2] not in message]
    return "; ".join([message or f"HTTP {status}", *more])[:_SHOWN_CHARS]


def error_of(
    status: int, body: object, headers: Mapping[str, str] | None = None, *, submitting: bool = False
) -> ClusterDown | ClusterRefused:
    """The error for an answer that is not a success.

    Parameters
    ----------
    submitting : only then can a task be refused; a question that is refused says nothing about a task.
    """
    words = told(status, body)
    if status == 401:
        return ClusterDown(f"Kubernetes does not take Atoll's token (401): {words}")
    if status == 403 and "exceeded quota" in words:
        return ClusterDown(f"the namespace's quota is used up: {words}")
    if status in (408, 409, 410, 429) or status >= 500:
        after = {name.lower(): value for name, value in (headers or {}).items()}.get("retry-after", "")
        again = {"Retry-After": after} if after.isdecimal() else None
        return ClusterDown(f"Kubernetes answers {status}: {words}", headers=again)
    if not submitting:
        return ClusterDown(f"Kubernetes answers {status}: {words}")
    if status == 404 and _NO_KIND in words:
        words = f"{words}; is the operator for it installed?"
    return ClusterRefused(f"Kubernetes refuses ({status}): {words}")
