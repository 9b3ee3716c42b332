"""How long one request takes: a server alone on one CPU, one client on another, one request at a time."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Client, NoAnswer
from benchmarks.data import Data
from benchmarks.machine import pinned, usable_cpus
from benchmarks.questions import MAIN_YEAR, REFERENCE, Body, Questions, ask, chosen, manual
from benchmarks.report import Reach, Report, Timing
from benchmarks.server import Server


@dataclass(frozen=True)
class Case:
    """One kind of request: how it is drawn, how often it is sent (`quick`: where time is short)."""

    name: str
    title: str
    draw: Callable[[Questions], Body]
    count: int
    quick: int
    reach: Reach | None = None
    before: str = ""


FIRST = Reach(0.1, aim=0.06)
SECOND = Reach(4.0, aim=2.5)

CASES = (
    Case("first", "1 predictor by hand, 10 trees, KNN (first type)", Questions.manual, 60, 10, FIRST, "1.4 to 3.8 s"),
    Case("second", "AFS 10, 100 trees, KNN (second type)", Questions.chosen, 20, 2, SECOND, "107 s"),
    Case("all", "AFS 10, 100 trees, best of all models", lambda q: q.chosen(model="all"), 8, 1, Reach(8.0)),
    Case("bootstrap", "first type, bootstrap interval", lambda q: q.manual(interval="bootstrap"), 20, 3),
    Case("pca", "PCA 10, 10 trees, KNN", lambda q: q.chosen(scheme="PCA", estimators=10), 20, 3),
    Case("simple", "first type, column means", lambda q: q.manual(interpolator="SimpleImputer"), 20, 3),
)
REFERENCES = (
    Case(
        "first-reference",
        "first type, the request that the old system was measured with",
        lambda _: manual(MAIN_YEAR, REFERENCE["target"], REFERENCE["predictor"]),
        10,
        3,
        FIRST,
        "1.4 to 3.8 s",
    ),
    Case(
        "second-reference",
        "second type, the request that the old system was measured with",
        lambda _: chosen(MAIN_YEAR, REFERENCE["target"]),
        5,
        1,
        SECOND,
        "107 s",
    ),
)
ITERATIVE = Case(
    "iterative",
    "first type, IterativeImputer, matrix known",
    lambda q: q.manual(interpolator="IterativeImputer"),
    30,
    4,
    Reach(0.5),
)
NAMES = ("first", "second", "all", "bootstrap", "pca", "simple", "iterative", "cached")


@dataclass(frozen=True)
class Bench:
    """What all measurements of a run share."""

    report: Report
    quick: bool
    scratch: Path
    only: frozenset[str]

    def wants(self, *names: str) -> bool:
        return not self.only or any(name in self.only for name in names)

    def state(self) -> Path:
        """A new, empty ATOLL_STATE."""
        return Path(tempfile.mkdtemp(dir=self.scratch, prefix="state-"))

    def judged(self, data: Data, reach: Reach | None) -> Reach | None:
        return reach if data.real else None


def alone(data: Data, state: Path) -> Server:
    """A server with one thread on the first CPU; the caller keeps to `client_cpus`."""
    return Server(data.folder, state, cpus=set(usable_cpus()[:1]), settings={"PREDICT_THREADS": "1"})


def client_cpus() -> set[int]:
    return set(usable_cpus()[-1:])


def measure(bench: Bench, data: Data) -> None:
    """All cases that are asked for, each warm, each request computed anew but in `cached`."""
    if not bench.wants(*NAMES):
        return
    state = bench.state()
    cases = [case for case in CASES if bench.wants(case.name)]
    if cases or bench.wants("cached"):
        with alone(data, state) as server, pinned(client_cpus()), Client(server.port) as client:
            questions = Questions(client)
            questions.warm(client)
            if bench.wants("simple"):
                questions.warm(client, "SimpleImputer")
            if questions.has_reference():
                cases = [case for case in REFERENCES if bench.wants(case.name.partition("-")[0])] + cases
            for case in cases:
                bench.report.add(_timed(bench, data, server, client, questions, case))
            if bench.wants("cached"):
                bench.report.add(_repeated(bench, data, client, questions))
    if bench.wants("iterative"):
        _iterative(bench, data, state)


def _iterative(bench: Bench, data: Data, state: Path) -> None:
    """A fresh server whose first request has to impute the whole matrix; then as the other cases."""
    with alone(data, state) as server, pinned(client_cpus()), Client(server.port) as client:
        questions = Questions(client)
        cold = Case(
            "iterative-cold",
            "first type, IterativeImputer, matrix not yet imputed",
            ITERATIVE.draw,
            1,
            1,
            Reach(30, "max"),
        )
        bench.report.add(_timed(bench, data, server, client, questions, cold))
        questions.warm(client, "IterativeImputer")
        bench.report.add(_timed(bench, data, server, client, questions, ITERATIVE))


def _timed(bench: Bench, data: Data, server: Server, client: Client, questions: Questions, case: Case) -> Timing:
    seconds: list[float] = []
    errors: list[str] = []
    before = server.cpu_s()
    for body in _drawn(case, questions, bench.quick):
        try:
            reply = ask(client, body, fresh=True)
        except NoAnswer as exc:
            errors.append(str(exc))
            continue
        if reply.status == 200:
            seconds.append(reply.took_s)
        else:
            errors.append(f"{reply.status} {reply.body[:200]!r} for {body}")
    asked = len(seconds) + len(errors)
    return Timing(
        data.name,
        case.name,
        case.title,
        tuple(seconds),
        bench.judged(data, case.reach),
        case.before,
        (server.cpu_s() - before) / asked,
        tuple(errors),
        alone=True,
    )


def _drawn(case: Case, questions: Questions, quick: bool) -> Iterator[Body]:
    for _ in range(case.quick if quick else case.count):
        yield case.draw(questions)


def _repeated(bench: Bench, data: Data, client: Client, questions: Questions) -> Timing:
    body = questions.manual()
    ask(client, body)
    replies = [ask(client, body) for _ in range(20 if bench.quick else 200)]
    wrong = tuple(f"{reply.status}, X-Cache {reply.cache!r}" for reply in replies if reply.cache != "hit")
    return Timing(
        data.name,
        "cached",
        "first type, asked again",
        tuple(reply.took_s for reply in replies if reply.cache == "hit"),
        bench.judged(data, Reach(0.005)),
        errors=wrong,
    )
