"""Runs on an MLflow tracking server, through version 2.0 of its REST interface.

Its address was given by a caller, so it is called as such addresses are: `common.http.outbound`, within its limits.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from common.http.outbound import Limits, Outbound, OutboundError, Refused
from common.submission.tracking.run import TAG, TrackedRun, choose, finite, short

LIMITS = Limits(connect_s=3.0, read_s=5.0, total_s=10.0, answer_bytes=2_000_000)
_MAX_RUNS = 20
_MAX_EXPERIMENTS = 100


class NoAnswer(Exception):
    """The server gave no usable answer; the text says so in one line."""


class RunsOnServer:
    """Looks runs up on one server. Closes with `with`.

    Parameters
    ----------
    uri : its address.
    outbound : makes the calls; decides what may be called at all.
    headers : e.g. `Authorization`.
    """

    def __init__(self, uri: str, outbound: Outbound, headers: Mapping[str, str] | None = None) -> None:
        self._uri = uri.rstrip("/")
        self._outbound = outbound
        self._headers = dict(headers or {})

    def find(self, experiment: str, name: str) -> TrackedRun | None:
        """The run of a submission: looked for in its experiment, then in all of them, as a program may choose its own.

        Raises
        ------
        NoAnswer
        """
        told = self._get("experiments/get-by-name", {"experiment_name": experiment})
        expected = [str(told["experiment"]["experiment_id"])] if told else []
        found = self._tagged(expected, name) if expected else None
        return found or self._tagged([one for one in self._experiments() if one not in expected], name)

    def _experiments(self) -> list[str]:
        told = self._post("experiments/search", {"max_results": _MAX_EXPERIMENTS}) or {}
        return [str(one["experiment_id"]) for one in told.get("experiments", [])]

    def _tagged(self, experiments: list[str], name: str) -> TrackedRun | None:
        if not experiments:
            return None
        asked = {
            "experiment_ids": experiments,
            # A submission's name has no quote in it.
            "filter": f"tags.`{TAG}` = '{name}'",
            "max_results": _MAX_RUNS,
            "order_by": ["attributes.start_time DESC"],
        }
        told = self._post("runs/search", asked) or {}
        return choose([self._run(run) for run in told.get("runs", [])])

    def _run(self, run: Mapping[str, Any]) -> TrackedRun:
        info, data = run["info"], run.get("data", {})
        experiment_id, run_id = str(info.get("experiment_id", "")), str(info["run_id"])
        return TrackedRun(
            run_id=run_id[:100],
            experiment_id=experiment_id[:100],
            name=str(info.get("run_name", ""))[:250],
            status=str(info.get("status", ""))[:50],
            metrics=finite({one["key"]: one.get("value") for one in data.get("metrics", [])}),
            params=short({one["key"]: one.get("value", "") for one in data.get("params", [])}),
            tags=short({one["key"]: one.get("value", "") for one in data.get("tags", [])}),
            link=f"{self._uri}/#/experiments/{quote(experiment_id, safe='')}/runs/{quote(run_id, safe='')}",
            started_ms=int(info.get("start_time") or 0),
        )

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        return self._call("GET", f"{path}?{urlencode(query)}", b"")

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("POST", path, json.dumps(body).encode())

    def _call(self, method: str, path: str, content: bytes) -> Any:
        headers = {"Content-Type": "application/json", **self._headers}
        try:
            answer = self._outbound.call(method, f"{self._uri}/api/2.0/mlflow/{path}", content=content, headers=headers)
        except Refused as exc:
            raise NoAnswer(f"the tracking server's address {exc}") from None
        except OutboundError as exc:
            raise NoAnswer(f"the tracking server: {exc}") from None
        if answer.status == 404:
            return None
        if answer.status != 200 or not answer.is_complete:
            raise NoAnswer(f"the tracking server answers {answer.status}")
        try:
            return json.loads(answer.body)
        except ValueError:
            raise NoAnswer("the tracking server answers no JSON") from None
