"""The headers that a request for a job may have, in the OpenAPI document.

The routes do not name them: `accept` reads them, and only when the request becomes a job. So their schemas allow any
text, and what is accepted stands in the description.
"""

from typing import Any

_ACCEPTED = "#/components/schemas/JobAccepted"
_PREFER = ("Prefer", "`respond-async`: answer 202 with the job's `Location`, and compute in the queue.")
_OF_JOBS = (
    ("Idempotency-Key", "The same key and request within 24 hours are the same job. 1 to 256 printable characters."),
    ("X-Callback-Url", "An https address that is told when the job has ended."),
    ("X-Timeout-Ms", "The job is of no use after so many milliseconds, at most seven days."),
)


def tell_headers(document: dict[str, Any]) -> None:
    """Add them to the operations that answer 202 with a job; `Prefer` where the answer may also come at once."""
    for item in document["paths"].values():
        for operation in item.values():
            if _makes_job(operation):
                told = (_PREFER, *_OF_JOBS) if "200" in operation["responses"] else _OF_JOBS
                operation.setdefault("parameters", []).extend(
                    {"in": "header", "name": name, "required": False, "schema": {"type": "string"}, "description": text}
                    for name, text in told
                )


def _makes_job(operation: Any) -> bool:
    if not isinstance(operation, dict) or "requestBody" not in operation:
        return False
    content = operation["responses"].get("202", {}).get("content", {})
    return bool(content.get("application/json", {}).get("schema", {}).get("$ref") == _ACCEPTED)
