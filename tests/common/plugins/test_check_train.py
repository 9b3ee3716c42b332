"""A plugin's own look at a training before it is queued."""

from collections.abc import Iterator

import pytest

from common.plugins import BaseDefinition, Plugin
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_invalid, assert_problem
from tests.support.trainings import TrainingClient

CHOOSY = """
    import threading
    from fastapi import APIRouter
    from common.errors import Invalid, NotFound
    from common.plugins import BaseDefinition, Plugin

    router = APIRouter(prefix="/choosy")
    known = []


    class Ask(BaseDefinition):
        name: str


    def load():
        known.append("here")


    def check(request):
        if threading.current_thread() is threading.main_thread():
            raise RuntimeError("on the event loop")
        if request.name == "away":
            raise NotFound("no such series; GET series lists them")
        if request.name not in known:
            raise Invalid.field("name", f"unknown; use {known[0]}", request.name)


    plugin = Plugin(load=load, train=lambda context, request: None, train_request=Ask, check_train=check)
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingClient]:
    folder = tmp_path_factory.mktemp("choosy")
    app = make_app(folder / "state", path=(write_plugin(folder, "choosy", CHOOSY),), serve=("choosy",))
    made = TrainingClient(app)
    yield made
    made.jobs.stop(0)


def test_a_training_that_the_plugin_takes_is_queued_once_its_data_are_there(client: TrainingClient) -> None:
    assert client.post("/choosy/train", json={"name": "here"}).status_code == 202


def test_a_training_that_the_plugin_refuses_is_refused_at_once(client: TrainingClient) -> None:
    before = client.jobs.store.counts()
    assert_invalid(client.post("/choosy/train", json={"name": "there"}), "body.name", told="unknown; use here")
    assert_problem(client.post("/choosy/train", json={"name": "away"}), 404, told="GET series lists them")
    assert client.jobs.store.counts() == before


def test_the_look_belongs_to_a_training() -> None:
    with pytest.raises(ValueError, match="declare it too"):
        Plugin(check_train=lambda request: None)


def test_the_look_is_a_plain_function() -> None:
    async def check(request: object) -> None:
        raise NotImplementedError

    with pytest.raises(TypeError, match="a plain `def`"):
        Plugin(train=lambda context, request: None, train_request=BaseDefinition, check_train=check)  # type: ignore[arg-type]  # that is what is tested
