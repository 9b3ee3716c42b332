"""Questions to a Prometheus, by its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/)."""

import math
from dataclasses import dataclass
from typing import Any, Self

import httpx

_TIMEOUT_S = 30.0


class NoPrometheus(Exception):
    """It did not answer, or refused the question; the message says which."""


@dataclass(frozen=True)
class Series:
    """One series of an answer; `points` are (seconds since 1970, value), oldest first, finite ones only."""

    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """A client; use it as a context manager.

    Parameters
    ----------
    url : e.g. `http://127.0.0.1:9090`.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def over(self, expr: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """The series of an expression over a time, without those that have no value in it.

        Raises
        ------
        NoPrometheus
        """
        asked = {"query": expr, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
        found = [
            Series(
                row["metric"], tuple((at, value) for at, text in row["values"] if math.isfinite(value := float(text)))
            )
            for row in self._ask("/api/v1/query_range", asked)["result"]
        ]
        return [series for series in found if series.points]

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped, each with `labels`, `health` and `lastError`. Raises `NoPrometheus`."""
        found: list[dict[str, Any]] = self._ask("/api/v1/targets", {})["activeTargets"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """The alert rules, each with `name`, `query`, `health` and `state`. Raises `NoPrometheus`."""
        return [rule for group in self._ask("/api/v1/rules", {})["groups"] for rule in group["rules"]]

    def _ask(self, path: str, form: dict[str, str]) -> Any:
        try:
            answer = self._client.get(path, params=form)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as exc:
            raise NoPrometheus(f"{self._client.base_url} does not answer as Prometheus does: {exc}") from exc
        if body.get("status") != "success":
            raise NoPrometheus(f"{form.get('query', path)}: {body.get('error', body)}")
        return body["data"]
