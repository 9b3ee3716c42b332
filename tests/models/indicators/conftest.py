"""Data sets for the tests: a small one written by hand, the generated one, and the real ones where they are."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from models._indicators import IndicatorSet, load, write_sample

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "indicators"

FILES = {
    "indicatorData": """\
Country Code,Note,Indicator Code,2001,2000
FJI,x,wdi-SP.POP,0.9,0.8
AUT,,wdi-SP.POP,8.1,
FJI,,key-wdi-SP.POP,,NA
AUT,,gdp,-1e3,..
""",
    "indicatorMeta": """\
Indicator Code,Indicator,Definition,Units,Category,Subcategory,Dimension,Dataset
wdi-SP.POP,"Population, total",People,millions,Population,none,None,wdi
key-wdi-SP.POP,Population,,,,,,key
unused,Never observed,,,,,,key
""",
    "datasetMeta": """\
Dataset Code,Dataset Name,License
key,Key Indicators,
wdi,World Development Indicators,CC BY 4.0
""",
}

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes the small data set, with the files given as text or bytes (None: left out) instead of its own."""

    def write(name: str = "small", *, packed: bool = False, **changed: str | bytes | None) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for stem, content in {**FILES, **changed}.items():
            if content is None:
                continue
            data = content.encode() if isinstance(content, str) else content
            if packed:
                (folder / f"{stem}.csv.gz").write_bytes(gzip.compress(data, mtime=0))
            else:
                (folder / f"{stem}.csv").write_bytes(data)
        return folder

    return write


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(params=["world", "sids_small"])
def real(request: pytest.FixtureRequest) -> Path:
    folder = REAL / str(request.param)
    if not folder.is_dir():
        pytest.skip(f"the real data set {folder.name} is not in ../shared/data/indicators")
    return folder


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indicators") / "sample"
    write_sample(folder)
    return folder


@pytest.fixture(scope="session")
def sample(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> IndicatorSet:
    return load(sample_folder, tmp_path_factory.mktemp("cache"))
