from collections.abc import Iterator
from pathlib import Path

import pytest

from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.runners.aws.runner import AwsBatchRunner
from tests.support.moto_batch import BUCKET, QUEUE, REGION, MotoBatch


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoBatch]:
    """moto's server, whose AWS Batch runs processes."""
    server = MotoBatch(tmp_path_factory.mktemp("moto"))
    yield server
    server.stop()


@pytest.fixture
def config(moto: MotoBatch, tmp_path: Path) -> AwsBatchConfig:
    secret = tmp_path / "secret"
    secret.write_text("testing\n")
    return AwsBatchConfig(
        name="aws",
        region=REGION,
        bucket=BUCKET,
        endpoint=moto.url,
        access_key=f"file:{secret}",
        secret_key=f"file:{secret}",
        default_partition=QUEUE,
        default_image="python:3.11",
    )


@pytest.fixture
def runner(config: AwsBatchConfig) -> Iterator[AwsBatchRunner]:
    made = AwsBatchRunner(config)
    yield made
    made.close()
