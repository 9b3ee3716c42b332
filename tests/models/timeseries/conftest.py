from collections.abc import Iterator
from pathlib import Path

import pytest

from models._indicators import IndicatorSet, load, write_sample
from tests.support.datasets import real_dataset
from tests.support.servers import Server


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> IndicatorSet:
    """The generated data set, which `sample_server` answers from."""
    folder = tmp_path_factory.mktemp("timeseries")
    (folder / "sample").mkdir()
    write_sample(folder / "sample")
    return load(folder / "sample", folder / "cache")


@pytest.fixture(scope="session")
def sids(tmp_path_factory: pytest.TempPathFactory) -> IndicatorSet:
    """The small real data set; skips where it is absent."""
    return load(real_dataset("sids_small"), tmp_path_factory.mktemp("timeseries-sids"))


@pytest.fixture(scope="session")
def series_server(shared_state: Path) -> Iterator[Server]:
    """A server with time series on the small real data set; skips where it is absent."""
    env = {"SERVICE_MODEL": "timeseries", "DATASET_PATH": str(real_dataset("sids_small"))}
    server = Server(shared_state / "timeseries", env=env)
    yield server
    server.stop()
