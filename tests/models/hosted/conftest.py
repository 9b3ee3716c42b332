from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.clients import Client
from tests.support.onnx_models import add
from tests.support.plugins import make_app


@dataclass(frozen=True)
class Site:
    """An app with hosted models, and a folder to make models in."""

    client: Client
    folder: Path
    state: Path

    def upload(self, tag: str, file: Path, path: str = "/hosted/models", **fields: str) -> httpx.Response:
        with file.open("rb") as content:
            return self.client.post(f"{path}/{tag}", files={"path": (file.name, content)}, data=fields)

    def predict(self, ref: str, values: object, **query: str) -> httpx.Response:
        return self.client.post(f"/hosted/models/{ref}/predict", json={"values": values}, params=query)

    @property
    def uploading(self) -> list[Path]:
        """Files on their way in."""
        folder = self.state / "cache" / "uploads"
        return list(folder.iterdir()) if folder.is_dir() else []


def made_site(folder: Path) -> Site:
    return Site(Client(make_app(folder / "state", serve=("hosted", "sample"))), folder, folder / "state")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One for tests that change what is there."""
    made = made_site(tmp_path)
    yield made
    made.client.app.state.runtime.stop()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One with two versions of `iris`, which add 1 and 2; the first is the default. For tests that leave it so."""
    made = made_site(tmp_path_factory.mktemp("iris"))
    for number in (1, 2):
        answer = made.upload(
            "iris", add(made.folder / f"iris-{number}.onnx", number), model_description=f"adds {number}"
        )
        assert answer.status_code == 201, answer.text
    yield made
    made.client.app.state.runtime.stop()  # type: ignore[attr-defined]
