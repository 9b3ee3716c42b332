"""The Python of docs/plugins.md and README, put together to plugins and asked; and what of it is the sample's own."""

import math
import re
from pathlib import Path

import pytest

from tests.support.blocks import Block, blocks
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.servers import CHECKOUT

# What the text around the blocks takes as given.
ONE_ANSWER = """
from typing import Any
from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(prefix="/mine")
DATA_DIGEST, trees = "1", [1, 2]


class Answer(BaseModel):
    scheme: str


def read(body):
    return body.scheme
"""
AN_ANSWER_OF_IT = """
told = compute


def compute(body):
    told(body)
    return {"scheme": body.scheme.name}
"""
ITEMS = """
from collections.abc import Sequence
from fastapi import APIRouter, Request
from fastapi.responses import Response
from common.plugins import BaseDefinition, param
from pydantic import BaseModel

router = APIRouter(prefix="/mine")
count_tokens = tokens = len


class Texts(BaseDefinition):
    texts: list[str] = param(title="Texts")


class Answer(BaseModel):
    predictions: list[dict[str, float]]


class session:
    def run(size):
        return [0.5] * size
"""
READ_DATA = """
from fastapi import APIRouter

router = APIRouter(prefix="/mine")


def read_data():
    pass
"""


def block(page: str, beginning: str) -> Block:
    (found,) = [block for block in blocks("python") if block.page == page and block.text.startswith(beginning)]
    return found


def client(tmp_path: Path, *parts: str) -> Client:
    path = write_plugin(tmp_path, "mine", "\n\n".join(parts))
    return Client(make_app(tmp_path / "state", path=(path,), serve=("mine",)))


def test_the_plugin_of_the_readme_doubles_a_length(tmp_path: Path) -> None:
    asked = client(tmp_path, block("README.md", "from fastapi import APIRouter").text)
    assert asked.post("/mine/predict", json={"length_m": 1.5}).json() == 3.0


def test_the_definition_asks_for_columns_where_they_are_chosen_by_hand(tmp_path: Path) -> None:
    parts = [block("plugins.md", start).text for start in ("import enum", "from common.serving import progress\n")]
    # In models/ it would have that name.
    answering = block("plugins.md", "from functools").text.replace("models.mine", "mine")
    asked = client(tmp_path, ONE_ANSWER, *parts, AN_ANSWER_OF_IT, answering)
    assert asked.post("/mine/predict", json={"scheme": "AUTO"}).json() == {"scheme": "AUTO"}
    assert asked.post("/mine/predict", json={"scheme": "MANUAL"}).status_code == 422
    (model,) = asked.get("/params").json()
    assert [item["parameter"] for item in model["inputs"]] == ["scheme", "columns"]


def test_items_are_answered_from_batches(tmp_path: Path) -> None:
    asked = client(tmp_path, ITEMS, block("plugins.md", "from common.plugins import Batching").text)
    assert asked.post("/mine/predict", json={"texts": ["ab", "b"]}).status_code == 200


def test_a_plugin_with_a_title_and_data_is_listed(tmp_path: Path) -> None:
    asked = client(tmp_path, READ_DATA, block("plugins.md", "from common.plugins import Plugin\n").text)
    assert asked.get("/health/ready").status_code in (200, 503)
    (model,) = asked.get("/models").json()
    assert (model["title"], model["reason"]) == ("Mine", None)


def test_what_is_run_before_the_first_request_greets(monkeypatch: pytest.MonkeyPatch) -> None:
    import models.sample as sample
    from common.plugins import Kept, Plugin

    names: dict[str, object] = {"greet": sample.greet, "Plugin": Plugin, "Kept": Kept}
    exec(block("plugins.md", "def warm()").text, names)  # noqa: S102
    declared = names["plugin"]
    assert isinstance(declared, Plugin)
    assert declared.load is not None
    declared.load()


@pytest.mark.parametrize(("start", "file"), [("def suggest", "space.py"), ("def train", "training.py")])
def test_the_training_that_is_shown_is_the_samples(start: str, file: str) -> None:
    shown = block("plugins.md", start).text
    source = (CHECKOUT / "models/sample" / file).read_text(encoding="utf-8")
    assert _code(shown) in _code(source)


def _code(text: str) -> str:
    """Without docstrings, and with one blank where there are many."""
    return re.sub(r"\s+", " ", re.sub(r'"""[^"]*"""', "", text)).strip()


def test_the_classifier_reads_two_texts_as_the_page_on_sentiment_says() -> None:
    names: dict[str, object] = {}
    code = block("sentiment.md", "from models.sentiment.classifier").text
    exec(code.replace("classifier.classify(", "given = classifier.classify("), names)  # noqa: S102
    given = names["given"]
    assert given.shape == (2, 2)  # type: ignore[attr-defined]
    assert all(math.isclose(sum(row), 1, abs_tol=1e-6) for row in given)  # type: ignore[attr-defined]
