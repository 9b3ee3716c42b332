from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.common.serving.oip.asking import PLUGINS
from tests.support.clients import Client
from tests.support.plugins import make_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Models by tensors, and those of the bundled plugins that predict without a data set."""
    state: Path = tmp_path_factory.mktemp("state")
    return make_app(state, path=(PLUGINS,), serve=("tensors", "sample", "housing", "sentiment"))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Client:
    return Client(app)
