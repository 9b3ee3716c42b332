"""Listing jobs when there are very many."""

from dataclasses import dataclass, replace

import sqlalchemy as sa

from benchmarks.client import Client
from benchmarks.jobs.atoll import Sender
from benchmarks.report import NotMeasured
from benchmarks.server import Server
from common.clock import new_id
from common.jobs.tables import jobs

COUNT = 10_000
PAGE = 50
_FIRST_PAGES = 200


@dataclass(frozen=True)
class Pages:
    """Seconds for the first page and for each of all pages; memory of the server before and after all of them."""

    first_s: tuple[float, ...]
    deep_s: tuple[float, ...]
    jobs: int
    before_bytes: int
    after_bytes: int


def fill(sender: Sender) -> None:
    """Make `COUNT` queued jobs: copies of one that was really accepted."""
    model = sender.store.get(sender.send("", 0.0, 0.0))
    rows = [vars(replace(model, id=new_id())) for _ in range(COUNT - 1)]
    sender.database.write(lambda c: c.execute(sa.insert(jobs), rows).rowcount)


def measure(server: Server) -> Pages:
    """Ask for the first page again and again, then twice for all pages, of which the second time counts."""
    with Client(server.port) as client:
        first = [_page(client, f"/jobs?state=queued&limit={PAGE}")[0] for _ in range(_FIRST_PAGES)]
        _all(client)
        before = server.serving()[0].memory_info().rss
        deep, seen = _all(client)
        after = server.serving()[0].memory_info().rss
    return Pages(tuple(first), tuple(deep), seen, before, after)


def _all(client: Client) -> tuple[list[float], int]:
    took: list[float] = []
    seen, cursor = 0, None
    while True:
        path = f"/jobs?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
        page_s, count, cursor = _page(client, path)
        took.append(page_s)
        seen += count
        if cursor is None:
            return took, seen


def _page(client: Client, path: str) -> tuple[float, int, str | None]:
    reply = client.get(path)
    if reply.status != 200:
        raise NotMeasured(f"{path}: {reply.status} {reply.body[:200]!r}")
    body = reply.json()
    return reply.took_s, len(body["jobs"]), body["next"]
