"""Every expression of dashboards and alert rules, asked of a real Prometheus that scrapes a working Atoll."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from benchmarks.dashboards import panels
from benchmarks.dashboards.picture import Span, render
from benchmarks.dashboards.prometheus import Prometheus, Series
from common.clock import new_id
from tests.support.datasets import CHECKOUT
from tests.support.onnx_models import add
from tests.support.plugins import write_plugin
from tests.support.prometheus_server import prometheus_server
from tests.support.receiver import Receiver
from tests.support.redis_server import redis_server
from tests.support.servers import Server, wait_for

RULES = CHECKOUT / "deployment" / "prometheus" / "rules.yml"
ROUNDS = 5
WINDOW = "20s"
# What no plugin that comes with Atoll does: fail by its own fault, and take long.
BROKEN = """
    import time
    from fastapi import APIRouter, HTTPException

    router = APIRouter()

    @router.post("/predict")
    def predict(seconds: float = 0.0, refused: bool = False) -> str:
        if refused:
            raise HTTPException(422, "never")
        if not seconds:
            raise RuntimeError("its own fault")
        time.sleep(seconds)
        return "done"
"""
FILLED = {
    "target_year": "2010",
    "target": "dev-schooling.years",
    "scheme": "AFS",
    "number_predictor": 5,
    "estimators": 10,
}
QUEUED = {"Prefer": "respond-async"}
IRIS = "/hosted/models/iris"
KEPT = "/registry/hosted.iris"


class Load:
    """Asks an Atoll for something of each kind."""

    def __init__(self, atoll: Server, hook: str) -> None:
        self._atoll = atoll
        self._hook = hook
        self._jobs: list[str] = []

    def prepare(self, folder: Path) -> None:
        """A hosted model with a shadow, whose rows are kept and compared."""
        self._sent("POST", IRIS, content=add(folder / "one.onnx", 1).read_bytes())
        self._sent("POST", f"{IRIS}?alias=candidate", content=add(folder / "two.onnx", 2).read_bytes())
        self._sent("PUT", f"{KEPT}/traffic", json={"weights": {"default": 1}, "shadow": "candidate", "shadow_share": 1})
        self._sent("PUT", f"{KEPT}/sampling", json={"fraction": 1})
        rows = "\n".join(f"{at % 7},{at % 5},{at % 3},{at % 2}" for at in range(400))
        self._sent(
            "PUT", f"{KEPT}/versions/1/snapshot", content=f"a,b,c,d\n{rows}", headers={"content-type": "text/csv"}
        )

    def round(self, number: int) -> None:
        """A little of everything, and new in each round, so that caches are asked and filled."""
        for at in range(3):
            self._sent("POST", "/sample_model/predict", json={"requiredField": f"{number} {at % 2}"})
            self._sent("POST", "/imputation/predict", json=FILLED | {"estimators": 10 + number})
            self._sent("POST", f"{IRIS}/predict", json={"values": [[at, 1.0, 2.0, 3.0]] * 200})
        self._sent("POST", "/sample_model/predict", json={})
        self._sent("POST", "/broken/predict")
        self._queue("/sample_model/predict", {"requiredField": f"queued {number}"}, {"X-Callback-Url": self._hook})
        self._queue("/broken/predict", None)
        self._queue("/broken/predict?refused=true", None)
        for _ in range(4):
            self._queue("/broken/predict?seconds=1", None)
        self._sent("DELETE", self._jobs[-1])
        for cluster, program in (("local", "print(1)"), ("local", "raise SystemExit(3)"), ("away", "print(1)")):
            config = f'{{"runner_location": "{cluster}", "name": "{new_id()}"}}'
            form = {
                "config": ("config.json", config, "application/json"),
                "program": ("it.py", program, "text/x-python"),
            }
            self._sent("POST", "/tasks", files=form)

    def compare(self) -> None:
        """The drift of what was asked, as soon as rows of it are kept."""
        path = f"{KEPT}/versions/1/drift?min_rows=100"
        wait_for(lambda: self._atoll.post(path).status_code == 200, "a comparison")

    def states(self) -> set[str]:
        return {self._atoll.get(job).json()["state"] for job in self._jobs}

    def _queue(self, path: str, body: object, headers: dict[str, str] | None = None) -> None:
        answer = self._atoll.post(path, json=body, headers=QUEUED | (headers or {}))
        assert answer.status_code == 202, answer.text
        self._jobs.append(answer.headers["location"])

    def _sent(self, method: str, path: str, **more: Any) -> None:
        answer = self._atoll.client.request(method, path, **more)
        assert answer.status_code != 404, f"{method} {path}: {answer.text}"
        assert answer.status_code < 500 or path.startswith("/broken"), f"{method} {path}: {answer.text}"


@dataclass(frozen=True)
class Run:
    """What Prometheus saw from `began_s` to `ended_s`."""

    prometheus: Prometheus
    began_s: float
    ended_s: float

    def series(self, expr: str) -> list[Series]:
        return self.prometheus.over(expr, self.began_s, self.ended_s, 1.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One process that serves and one that works, and a load of a little of everything."""
    folder, key = tmp_path_factory.mktemp("run"), "k" * 40
    with ExitStack() as stack:
        watching = stack.enter_context(prometheus_server())
        receiver = Receiver()
        stack.callback(receiver.close)
        shared = {
            "SERVICE_MODEL": "sample,imputation,hosted,broken",
            "ATOLL_PLUGIN_PATH": str(write_plugin(folder / "plugins", "broken", BROKEN)),
            "ATOLL_ADMIN_KEY": key,
            "DATABASE_URL": f"sqlite:///{folder}/atoll.db",
            "FILE_SHARE": str(folder / "share"),
            "REDIS_URL": stack.enter_context(redis_server()).url,
            "SAMPLING": "true",
            "CALLBACK_ALLOW": "127.0.0.1",
            "JOB_TICK_S": "0.5",
            "JOB_ATTEMPTS": "1",
            # A cluster that is away.
            "ATOLL_CLUSTER_AWAY_KIND": "slurm-rest",
            "ATOLL_CLUSTER_AWAY_URL": "http://127.0.0.1:1",
            "ATOLL_CLUSTER_AWAY_USER": "nobody",
            "ATOLL_CLUSTER_AWAY_TOKEN": "env:AWAY_TOKEN",
            "ATOLL_CLUSTER_AWAY_FOLDER": str(folder / "away"),
            "AWAY_TOKEN": "t",
        }
        front = Server(folder / "front", env=shared | {"ATOLL_ROLES": "http"})
        stack.callback(front.stop)
        worker = Server(folder / "worker", env=shared | {"ATOLL_ROLES": "queues,timers"}, ready=False)
        stack.callback(worker.stop)
        watching.start({"atoll": [front.url], "atoll-worker": [worker.url]}, key)
        began_s = time.time()
        front.client.headers["X-API-Key"] = key
        work(Load(front, receiver.url), folder)
        prometheus = stack.enter_context(Prometheus(watching.url))
        # Twice: what has just appeared has a rate from its second value on.
        wait_for_scrapes(prometheus)
        wait_for_scrapes(prometheus)
        yield Run(prometheus, began_s, time.time())


def work(load: Load, folder: Path) -> None:
    load.prepare(folder)
    for number in range(ROUNDS):
        load.round(number)
        # Between two scrapes: what counts up within one has no rate.
        time.sleep(1.2)
    load.compare()
    wait_for(lambda: load.states() == {"succeeded", "failed", "dead", "cancelled"}, "the jobs to end")


def wait_for_scrapes(prometheus: Prometheus) -> None:
    """Until each process has told what it knows now."""
    since_s = time.time()
    fresh = f"timestamp(up) > {since_s:.3f} and up == 1"
    wait_for(lambda: len(prometheus.over(fresh, time.time(), time.time(), 1.0)) == 2, "both to be scraped")


def test_every_expression_has_data_in_a_working_atoll_and_its_dead_jobs_fire(run: Run) -> None:
    asked = {f"{where}: {expr}": run.series(panels.filled(expr, WINDOW)) for where, expr in expressions()}
    assert [told for told, series in asked.items() if not series] == []
    assert {rule["name"]: rule["health"] for rule in run.prometheus.rules()} == dict.fromkeys(alerts(), "ok")
    assert [rule["name"] for rule in run.prometheus.rules() if rule["state"] == "firing"] == ["AtollDeadJobs"]
    for name in panels.names():
        drawn = render(panels.read(name), run.prometheus, Span(run.began_s, run.ended_s, 1.0))
        titles = {escape(panel.title) for panel in panels.read(name).panels}
        assert sorted(title for title in titles if f">{title}</text>" not in drawn) == []


def expressions() -> Iterator[tuple[str, str]]:
    """Where it stands and what is asked; without what would hide that there are no data."""
    for name in panels.names():
        for panel in panels.read(name).panels:
            yield from (
                (f"{name}, {panel.title}", target.expr.replace(" or vector(0)", "")) for target in panel.targets
            )
    for name, expr in alerts().items():
        yield from ((name, side) for side in sides(expr))


def alerts() -> dict[str, str]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def sides(expr: str) -> list[str]:
    """What an alert looks at: each side of its `and`, `or` and `unless`, without its limit and `absent`."""
    compared = re.split(r"\s(?:and|or|unless)\s", expr)
    alone = [re.sub(r"\s*[<>=]=?\s*[\d.]+$", "", side.strip()) for side in compared]
    return [re.sub(r"^absent\((.+)\)$", r"\1", side) for side in alone]
