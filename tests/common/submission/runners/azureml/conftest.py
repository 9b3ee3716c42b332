from collections.abc import Iterator
from pathlib import Path

import pytest

from common.submission.runners.azureml.config import AzureMlConfig
from common.submission.runners.azureml.runner import AzureMlRunner
from tests.support.azureml_standin import COMPUTES, GROUP, SUBSCRIPTION, TOKEN, WORKSPACE, AzureMlStandIn
from tests.support.azurite_blobs import ACCOUNT, CONTAINER, KEY, AzuriteBlobs


@pytest.fixture(scope="session")
def blobs() -> Iterator[AzuriteBlobs]:
    """A real blob service."""
    server = AzuriteBlobs()
    yield server
    server.close()


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[AzureMlStandIn]:
    with AzureMlStandIn(tmp_path) as server:
        yield server


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


@pytest.fixture
def config(standin: AzureMlStandIn, blobs: AzuriteBlobs, token: Path, tmp_path: Path) -> AzureMlConfig:
    (tmp_path / "key").write_text(KEY)
    return AzureMlConfig(
        name="azure",
        subscription=SUBSCRIPTION,
        resource_group=GROUP,
        workspace=WORKSPACE,
        endpoint=standin.url,
        token=f"file:{token}",
        storage_account=ACCOUNT,
        storage_key=f"file:{tmp_path / 'key'}",
        container=CONTAINER,
        blob_endpoint=blobs.url,
        default_partition=COMPUTES[0],
        default_image="sklearn:3",
        timeout_s=5,
    )


@pytest.fixture
def runner(config: AzureMlConfig) -> Iterator[AzureMlRunner]:
    made = AzureMlRunner(config)
    yield made
    made.close()
