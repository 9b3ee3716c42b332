from pathlib import Path

import pytest

from tests.support.clients import Client
from tests.support.plugins import make_app


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """The app with the sample plugin, in this process."""
    return Client(make_app(tmp_path / "state"))
