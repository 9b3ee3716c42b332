"""What a page of `GET /jobs` costs the server, with ten and a hundred thousand jobs, on SQLite and PostgreSQL."""

from collections.abc import Mapping

from benchmarks.client import Client
from benchmarks.console import filled
from benchmarks.console.bench import JOBS, Bench, Site, site
from benchmarks.jobs.backends import postgresql
from benchmarks.report import Timing

MANY = 100_000
_REQUESTS = 100
# Lists are the same whatever is served, and this one is there at once.
_MODEL = "sample"
# As the console asks.
_PAGE = "/jobs?limit=100"


def measure(bench: Bench) -> None:
    """On databases of their own, one after the other."""
    with bench.telling("lists on SQLite"), site(bench, models=_MODEL) as served:
        _sizes(bench, "SQLite", served)
    with (
        bench.telling("lists on PostgreSQL"),
        postgresql() as backend,
        site(bench, url=backend.database(), models=_MODEL) as served,
    ):
        _sizes(bench, "PostgreSQL", served)


def _sizes(bench: Bench, name: str, served: Site) -> None:
    _kinds(bench, f"{name}, {JOBS:,}", served)
    if not bench.is_quick:
        filled.fill(served.database, MANY - JOBS, before=served.oldest)
        _kinds(bench, f"{name}, {MANY:,}", served)


def _kinds(bench: Bench, data: str, served: Site) -> None:
    count = 10 if bench.is_quick else _REQUESTS
    with Client(served.server.port, timeout_s=60) as client:
        known = client.get(_PAGE)
        kinds: dict[str, tuple[str, Mapping[str, str]]] = {
            "newest 100": (_PAGE, {}),
            "newest 100, gzip": (_PAGE, {"Accept-Encoding": "gzip"}),
            "newest 100, unchanged (304)": (_PAGE, {"If-None-Match": known.etag}),
            "100 from the middle": (f"{_PAGE}&cursor={_cursor(client, pages=20)}", {}),
            "newest 100 failed or dead": (f"{_PAGE}&state=failed&state=dead", {}),
            "newest 100 trainings of a model": (f"{_PAGE}&model=housing&kind=training", {}),
        }
        for title, (path, headers) in kinds.items():
            client.get(path, headers)
            used_s = served.server.cpu_s()
            seconds = tuple(client.get(path, headers).took_s for _ in range(count))
            cpu_s = (served.server.cpu_s() - used_s) / count
            bench.report.add(Timing(data, "list", title, seconds, cpu_s=cpu_s))


def _cursor(client: Client, pages: int) -> str:
    cursor = ""
    for _ in range(pages):
        cursor = client.get(f"{_PAGE}&cursor={cursor}" if cursor else _PAGE).json()["next"]
    return cursor
