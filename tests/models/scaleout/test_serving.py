"""Which graph model answers, and what is said when none can."""

import pickle
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from common.errors import ModelUnavailable
from common.registry.held import Held
from models.scaleout import serving
from models.scaleout.artefact import CARD, FILES, GRAPH, pack, read
from models.scaleout.serving import NO_MODEL, forecasts, serve, serve_version, served_now
from tests.models.scaleout.graph.synthetic import begun, made_run, made_runs
from tests.models.scaleout.graph.untrained import untrained

RUNS = made_runs(("kmeans",))
RUN = begun(made_run("kmeans", 300.0, 2, seed=9), 2)


@pytest.fixture(autouse=True)
def nothing_served() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_served", None)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in pack(untrained()).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def held(folder: Path, number: int | None = 3) -> Held:
    digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES if (folder / name).exists()}
    return Held(number, folder, digests, lambda name: folder / name)


def test_without_a_version_the_reason_says_what_to_do() -> None:
    assert forecasts(RUNS, RUN, [1, 2]) == (None, NO_MODEL)


def test_the_version_that_is_served_answers_for_each_candidate(folder: Path) -> None:
    serve_version(held(folder))
    found, why = forecasts(RUNS, RUN, range(1, 5), current=2)
    assert found is not None
    assert why == ""
    assert found.version == "3"
    assert found.model == "graph, corrected on this run"
    assert len(found.remaining([4, 1])) == 2
    assert found.remaining([4])[0] == found.coming.remaining[3]
    assert [job_id for job_id, _ in found.by_job(2)] == [2, 3, 4, 5]


def test_a_version_that_is_taken_back_answers_no_more(folder: Path) -> None:
    serve_version(held(folder))
    assert served_now() is not None
    serve_version(held(folder, None))
    assert served_now() is None


def test_too_little_history_is_a_reason_not_an_error(folder: Path) -> None:
    serve_version(held(folder))
    found, why = forecasts([], RUN, [1])
    assert found is None
    assert "no past run of kmeans" in why


def test_more_scale_outs_than_there_is_time_for_are_a_reason_not_an_error(folder: Path) -> None:
    serve_version(held(folder))
    found, why = forecasts(RUNS, RUN, range(1, 10_000))
    assert found is None
    assert "128 scale-outs at most" in why


def test_a_model_that_fails_is_a_reason_not_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_version(held(folder))
    served = served_now()
    assert served is not None

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(served.model, "coming", fail)
    assert forecasts(RUNS, RUN, [1]) == (None, "the graph model failed: ZeroDivisionError")


def test_what_is_made_of_past_runs_is_kept_under_its_key(folder: Path) -> None:
    serve_version(held(folder))
    one, _ = forecasts(RUNS, RUN, [1], key="same")
    other, _ = forecasts([], RUN, [1], key="same")
    assert one is not None
    assert other is not None
    assert one.coming.remaining == other.coming.remaining


def test_what_is_written_is_read_again(folder: Path) -> None:
    found = read({name: folder / name for name in FILES})
    again = pack(found)
    assert {name: (folder / name).read_bytes() for name in FILES} == again


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("fault", ["missing", "truncated", "foreign"])
def test_a_bad_file_is_refused_by_its_name_and_what_served_goes_on(folder: Path, name: str, fault: str) -> None:
    serve_version(held(folder))
    if fault == "missing":
        (folder / name).unlink()
    elif fault == "foreign":
        (folder / name).write_bytes(pickle.dumps({"nodes": [0.5] * 1000}))
    else:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelUnavailable, match=name):
        serve_version(held(folder, 4))
    served = served_now()
    assert served is not None
    assert served.name == "3"


def test_the_files_are_small() -> None:
    files = pack(untrained(hidden=32, members=5))
    assert len(files[GRAPH]) < 1_000_000
    assert len(files[CARD]) < 10_000


def test_a_process_whose_first_version_is_broken_begins_without_one(folder: Path) -> None:
    (folder / GRAPH).write_bytes(b"no arrays")
    serve(held(folder))
    assert served_now() is None


def test_later_a_broken_version_is_refused(folder: Path) -> None:
    serve(held(folder))
    (folder / GRAPH).write_bytes(b"no arrays")
    with pytest.raises(ModelUnavailable):
        serve(held(folder, 4))
