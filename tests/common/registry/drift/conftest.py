import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.app import create_app
from common.registry.drift.sampler import Sampler
from common.registry.service import Registry
from common.runtime import Runtime
from common.settings import PluginSettings, RegistrySettings, ServingSettings, Settings, StorageSettings
from tests.support.clients import Client
from tests.support.onnx_models import add


@dataclass(frozen=True)
class Site:
    """An app that may keep rows of requests, with the hosted model `iris`, which adds 1 to four numbers."""

    client: Client
    folder: Path

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.client.app.state.runtime  # type: ignore[attr-defined]
        return runtime

    @property
    def registry(self) -> Registry:
        return self.runtime.registry

    @property
    def sampler(self) -> Sampler:
        return self.runtime.sampler

    def upload(self, number: int, tag: str = "iris") -> httpx.Response:
        with add(self.folder / f"{tag}-{number}.onnx", number).open("rb") as content:
            return self.client.post(f"/hosted/models/{tag}", files={"path": (f"{tag}.onnx", content)})

    def keep(self, model: str = "hosted.iris", **how: Any) -> httpx.Response:
        return self.client.request("PUT", f"/registry/{model}/sampling", json={"fraction": 1.0} | how)

    def predict(self, values: Any, ref: str = "iris") -> None:
        answer = self.client.post(f"/hosted/models/{ref}/predict", json={"values": values})
        assert answer.status_code == 200, answer.text

    def snapshot(self, csv: str, version: int = 1, model: str = "hosted.iris") -> httpx.Response:
        headers = {"Content-Type": "text/csv"}
        path = f"/registry/{model}/versions/{version}/snapshot"
        return self.client.request("PUT", path, content=csv.encode(), headers=headers)

    def drift(self, version: int = 1, model: str = "hosted.iris", **query: Any) -> httpx.Response:
        return self.client.post(f"/registry/{model}/versions/{version}/drift", params=query)


def made_site(folder: Path, *, sampling: bool = True, serve: tuple[str, ...] = ("hosted", "sample")) -> Site:
    settings = Settings(
        plugins=PluginSettings(service_model=serve),
        storage=StorageSettings(state_dir=folder / "state"),
        serving=ServingSettings(threads=2),
        registry=RegistrySettings(sampling=sampling),
    )
    return Site(Client(create_app(settings)), folder)


@pytest.fixture(scope="session")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site to which version 1 was uploaded. Its check takes a process of its own: once for all."""
    folder = tmp_path_factory.mktemp("uploaded")
    made = made_site(folder)
    answer = made.upload(1)
    assert answer.status_code == 201, answer.text
    made.runtime.stop()
    return folder


@pytest.fixture
def site(uploaded: Path, tmp_path: Path) -> Iterator[Site]:
    shutil.copytree(uploaded, tmp_path, dirs_exist_ok=True)
    made = made_site(tmp_path)
    yield made
    made.runtime.stop()
