"""A plugin that declares `predict_batch` and `cache`, over HTTP."""

from pathlib import Path

import pytest

from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin

SOURCE = """
from fastapi import APIRouter, Request
from fastapi.responses import Response
from common.plugins import BaseDefinition, Batching, Kept, Plugin
from common.serving import answer_items

router = APIRouter(prefix="/lengths")
ran = []


class Texts(BaseDefinition):
    texts: list[str]


def count(texts):
    ran.append(list(texts))
    return [ValueError("too long") if len(text) > 9 else {"length": len(text)} for text in texts]


@router.post("/predict")
async def predict(body: Texts, request: Request) -> Response:
    return await answer_items(request, "lengths", body.texts, around=(b'{"found":[', b"]}"))


@router.get("/ran")
async def batches() -> list[list[str]]:
    return ran


plugin = Plugin(predict_batch=Batching(count, cost=len), cache=Kept(str.encode))
"""


@pytest.fixture
def client(tmp_path: Path) -> Client:
    write_plugin(tmp_path / "plugins", "lengths", SOURCE)
    return Client(make_app(tmp_path / "state", path=(tmp_path / "plugins",), serve=("lengths",)))


def ask(client: Client, *texts: str, **headers: str) -> tuple[int, object, str | None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    got = client.post("/lengths/predict", json={"texts": texts}, headers=named)
    return got.status_code, got.json(), got.headers.get("x-cache")


def test_each_item_is_answered_in_order_and_kept(client: Client) -> None:
    assert ask(client, "a", "bcd") == (200, {"found": [{"length": 1}, {"length": 3}]}, "miss")
    assert ask(client, "bcd", "a", "bcd")[2] == "hit"
    assert ask(client, "a", "zz") == (200, {"found": [{"length": 1}, {"length": 2}]}, "partial")
    assert client.get("/lengths/ran").json() == [["a", "bcd"], ["zz"]]


def test_cache_control_is_honoured(client: Client) -> None:
    ask(client, "a")
    assert ask(client, "a", Cache_Control="no-store")[2] == "miss"
    assert ask(client, "a", Cache_Control="no-cache")[2] == "miss"
    assert ask(client, "a")[2] == "hit"


def test_an_item_that_fails_is_answered_without_its_text(client: Client) -> None:
    status, body, _ = ask(client, "a", "far too long")
    assert status == 500
    assert "too long" not in str(body)
    # The one beside it was computed and kept.
    assert ask(client, "a")[2] == "hit"


def test_a_time_limit_that_is_none_is_refused(client: Client) -> None:
    status, body, _ = ask(client, "a", X_Timeout_Ms="soon")
    assert status == 422
    assert "X-Timeout-Ms" in str(body)


def test_no_items_are_answered_with_none(client: Client) -> None:
    assert ask(client)[:2] == (200, {"found": []})


def test_the_metrics_tell_hits_and_batches(client: Client) -> None:
    ask(client, "a", "b")
    ask(client, "a")
    page = client.get("/metrics").text
    assert 'atoll_cache_items_total{model="lengths",outcome="hit"}' in page
    assert 'atoll_batch_items_count{model="lengths"}' in page
