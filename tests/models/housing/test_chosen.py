"""Which models answer: those in the box until a version is to serve."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import ModelUnavailable
from common.registry.held import Held
from models.housing.artefact import BOX, FILES, read
from models.housing.chosen import serve_version, served_now
from models.housing.predictor import Asked, Kind, predict_batch, version

HOUSE = (8.3, 41.0, 7.0, 1.0, 322.0, 2.6, 37.88, -122.23)


@pytest.fixture(autouse=True)
def _box_again(tmp_path: Path) -> Iterator[None]:
    yield
    serve_version(Held(None, tmp_path))


def published(folder: Path, number: int, *names: str) -> Held:
    """A version whose prices are higher by one than those of the box."""
    found = read({name: BOX / name for name in FILES})
    object.__setattr__(found.svr, "intercept", found.svr.intercept + 1)
    for name, content in found.files().items():
        (folder / name).write_bytes(content)
    return Held(number, folder, dict.fromkeys(names or FILES, "digest"), folder.joinpath)


def price(asked: Asked) -> float:
    (found,) = predict_batch([asked])
    assert isinstance(found, float)
    return found


def test_a_version_takes_the_place_of_the_box_and_gives_it_back(tmp_path: Path) -> None:
    before, digest = price(Asked(HOUSE, kind=Kind.svr)), version()
    assert served_now().name == "box"
    serve_version(published(tmp_path, 7))
    assert served_now().name == "7"
    assert price(Asked(HOUSE, kind=Kind.svr)) == pytest.approx(before + 1)
    assert version() != digest
    serve_version(Held(None, tmp_path))
    assert (served_now().name, version()) == ("box", digest)


def test_districts_that_wait_are_answered_by_what_served_when_they_were_asked(tmp_path: Path) -> None:
    old = Asked(HOUSE, kind=Kind.svr)
    serve_version(published(tmp_path, 7))
    new = Asked(HOUSE, kind=Kind.svr)
    one, other = predict_batch([old, new])
    assert isinstance(one, float)
    assert other == pytest.approx(one + 1)
    assert old.key() != new.key()


def test_a_version_that_cannot_be_opened_leaves_what_serves(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"version 8 of housing has no boosted\.onnx, model\.json"):
        serve_version(published(tmp_path, 8, FILES[0]))
    broken = published(tmp_path, 9)
    (tmp_path / FILES[1]).write_bytes(b"no graph")
    with pytest.raises(ModelUnavailable, match=FILES[1]):
        serve_version(broken)
    assert served_now().name == "box"
