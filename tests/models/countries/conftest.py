from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.datasets import real_dataset
from tests.support.servers import Server


@pytest.fixture(scope="session")
def countries_server(shared_state: Path) -> Iterator[Server]:
    """A server with countries on the small real data set; skips where the data is absent."""
    server = Server(
        shared_state / "countries", env={"SERVICE_MODEL": "countries", "DATASET_PATH": str(real_dataset("sids_small"))}
    )
    yield server
    server.stop()
