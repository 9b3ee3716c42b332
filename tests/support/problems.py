"""One assertion for the shape of every error."""

from typing import Any, cast

import httpx

MEMBERS = {"type": str, "title": str, "status": int, "detail": str, "instance": str, "request_id": str, "error": str}
SHOWN_CHARS = 81  # 80 and the ellipsis


def assert_problem(response: httpx.Response, status: int, *, told: str = "", kind: str | None = None) -> dict[str, Any]:
    """The body of an error answer, after checking that it is a problem of RFC 9457 as Atoll answers them.

    Parameters
    ----------
    told : text that the detail must contain.
    kind : last part of its `type`.
    """
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    body = cast("dict[str, Any]", response.json())
    for name, expected in MEMBERS.items():
        assert isinstance(body.get(name), expected), f"{name} is {body.get(name)!r}"
    assert body["status"] == status
    assert body["type"].startswith("urn:atoll:problem:")
    assert body["detail"] == body["error"]
    assert body["request_id"] == response.headers["x-request-id"]
    assert told in body["detail"], body["detail"]
    assert "Traceback" not in response.text
    if kind is not None:
        assert body["type"] == f"urn:atoll:problem:{kind}"
    if status in (429, 503):
        assert int(response.headers["retry-after"]) >= 1
    if status == 405:
        assert response.headers["allow"]
    for item in body.get("errors", ()):
        assert set(item) == {"field", "message", "value"}
        assert isinstance(item["field"], str)
        assert item["message"]
        assert not isinstance(item["value"], str) or len(item["value"]) <= SHOWN_CHARS
    return body


def assert_invalid(response: httpx.Response, field: str, *, told: str = "") -> dict[str, Any]:
    """The one wrong field named `field` of a 422 answer."""
    body = assert_problem(response, 422, kind="invalid")
    found = [item for item in body["errors"] if item["field"] == field]
    assert found, body["errors"]
    error: dict[str, Any] = found[0]
    assert told in error["message"], error["message"]
    return error
