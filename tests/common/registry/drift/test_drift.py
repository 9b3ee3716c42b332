"""From requests to kept rows to what has changed, in a real app."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from common.registry.drift.chore import SampleChore
from common.registry.drift.files import FOLDER, Samples
from common.settings import RegistrySettings
from tests.common.registry.drift.conftest import Site, made_site

RANDOM = np.random.default_rng(3)


def rows(count: int, mean: float = 0.0) -> list[list[float]]:
    found: list[list[float]] = RANDOM.normal(mean, 1, (count, 4)).round(3).tolist()
    return found


def csv(values: list[list[float]], header: str = "sepal length,sepal width,petal length,petal width") -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in values)])


def kept(site: Site, version: int = 1, model: str = "hosted.iris") -> Any:
    site.sampler.flush()
    return Samples(site.registry.blobs.share).read(model, version, most=10_000)


def infer(site: Site, values: list[list[float]], path: str = "hosted.iris") -> None:
    body = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [len(values), 4], "data": values}]}
    answer = site.client.post(f"/v2/models/{path}/infer", json=body)
    assert answer.status_code == 200, answer.text


def test_requests_like_the_training_are_stable_and_others_are_told(site: Site) -> None:
    assert site.snapshot(csv(rows(2000))).status_code == 201
    assert site.keep().json()["active"] is True
    site.predict(rows(150))
    infer(site, rows(150))
    calm = site.drift().json()
    assert (calm["verdict"], calm["against"], calm["rows"], calm["rows_reference"]) == ("stable", "training", 300, 2000)
    assert {item["column"] for item in calm["columns"]} == {f"input.X.{at}" for at in range(4)}
    assert calm["not_compared"] == [f"output.Y.{at}" for at in range(4)]
    for _ in range(4):
        site.predict(rows(200, 2.0))
    moved = site.drift().json()
    assert moved["verdict"] == "major"
    assert moved["columns"][0]["psi"] > 0.25
    labels = {"model": "hosted.iris", "version": "1", "column": moved["columns"][0]["column"]}
    assert REGISTRY.get_sample_value("atoll_drift_psi", labels) == moved["columns"][0]["psi"]


def test_versions_are_compared_with_each_other(site: Site) -> None:
    assert site.upload(2).status_code == 201
    site.keep()
    site.predict(rows(200), "iris:1")
    site.predict(rows(200), "iris:2")
    found = site.drift(2, against=1).json()
    assert (found["against"], found["rows"], found["rows_reference"]) == ("1", 200, 200)
    by_name = {item["column"]: item["verdict"] for item in found["columns"]}
    # The second one adds 2 where the first one adds 1.
    assert (by_name["input.X.0"], by_name["output.Y.0"]) == ("stable", "major")


def test_nothing_is_kept_unless_the_server_and_an_admin_say_so(tmp_path: Path) -> None:
    site = made_site(tmp_path, sampling=False)
    try:
        site.upload(1)
        refused = site.keep()
        assert refused.status_code == 409
        assert "SAMPLING=true" in refused.json()["detail"]
        site.predict(rows(5))
        assert kept(site).rows == 0
    finally:
        site.runtime.stop()


def test_a_model_that_nobody_asked_for_is_not_kept(site: Site) -> None:
    site.upload(1, "other")
    site.keep("hosted.other")
    site.predict(rows(5))
    assert (kept(site).rows, site.sampler.waiting_rows("hosted.iris")) == (0, 0)


def test_what_is_to_be_dropped_is_neither_in_memory_nor_on_the_share(site: Site) -> None:
    answer = site.keep(drop=["X.0", "Y", "nmae"]).json()
    assert answer["unknown"] == ["nmae"]
    site.predict(rows(3))
    assert sorted(kept(site).columns) == ["input.X.1", "input.X.2", "input.X.3"]


def test_a_fraction_of_the_rows_is_kept(site: Site) -> None:
    site.keep(fraction=0.1)
    for _ in range(20):
        site.predict(rows(100))
    # 200 on average, with a deviation of 13.
    assert 120 < kept(site).rows < 280


def test_of_one_large_request_not_all_rows_are_kept(site: Site) -> None:
    site.keep()
    site.predict(rows(1000))
    assert kept(site).rows == 200


def test_kept_rows_are_the_newest_and_hold_what_was_answered(site: Site) -> None:
    site.keep()
    site.predict([1.0, 2.0, 3.0, 4.0])
    found = kept(site).columns
    assert {name: column.tolist() for name, column in found.items()} == {
        **{f"input.X.{at}": [at + 1.0] for at in range(4)},
        **{f"output.Y.{at}": [at + 2.0] for at in range(4)},
    }


def test_a_request_that_is_refused_is_not_kept(site: Site) -> None:
    site.keep()
    assert site.client.post("/hosted/models/iris/predict", json={"values": ["a"]}).status_code == 422
    assert kept(site).rows == 0


def test_too_few_rows_are_told_with_their_number(site: Site) -> None:
    site.snapshot(csv(rows(300)))
    site.keep()
    site.predict(rows(50))
    refused = site.drift()
    assert (refused.status_code, refused.json()["rows"], refused.json()["min_rows"]) == (409, 50, 200)
    assert site.drift(min_rows=50).status_code == 200
    assert site.drift(hours=1, min_rows=50).json()["rows"] == 50


def test_a_version_without_a_snapshot_is_told_how_to_get_one(site: Site) -> None:
    site.keep()
    refused = site.drift()
    assert refused.status_code == 409
    assert "/snapshot" in refused.json()["detail"]


def test_a_snapshot_too_small_to_compare_with_is_told(site: Site) -> None:
    site.snapshot(csv(rows(30)))
    site.keep()
    site.predict(rows(200))
    refused = site.drift()
    assert (refused.status_code, refused.json()["rows_reference"]) == (409, 30)


def test_a_snapshot_is_given_once(site: Site) -> None:
    first = site.snapshot(csv(rows(30)))
    assert first.json()["columns"] == [f"input.X.{at}" for at in range(4)]
    assert site.snapshot(csv(rows(40))).status_code == 409
    assert [item.name for item in site.registry.get("hosted.iris", 1).artefacts].count("snapshot.npz") == 1
    assert site.client.post("/hosted/models/iris/predict", json={"values": [1, 2, 3, 4]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "no rows"),
        ("X.0,X.1", "no rows"),
        ("a,b\n1,2", "is an input of the version, which has X.0, X.1, X.2, X.3"),
        ("a,a\n1,2", "a name twice"),
        ("a,\n1,2", "an empty one"),
        ("X.0,X.1\n1", "row 2 of the snapshot has 1 cells"),
        (",".join(f"c{at}" for at in range(600)) + "\n" + "1," * 599 + "1", "at most 512"),
    ],
)
def test_a_snapshot_that_cannot_be_is_refused_and_changes_nothing(site: Site, body: str, told: str) -> None:
    refused = site.snapshot(body)
    assert refused.status_code == 422
    assert told in refused.json()["detail"]
    assert "snapshot.npz" not in [item.name for item in site.registry.get("hosted.iris", 1).artefacts]


def test_a_snapshot_that_is_no_text_is_refused(site: Site) -> None:
    path = "/registry/hosted.iris/versions/1/snapshot"
    assert site.client.request("PUT", path, content=b"\xff\xfe\x00").status_code == 422
    as_json = site.client.request("PUT", path, json={"x": [1]})
    assert (as_json.status_code, "text/csv" in as_json.json()["detail"]) == (415, True)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"fraction": -0.1},
        {"fraction": 1.5},
        {"fraction": "all"},
        {"fraction": 0.1, "drop": "name"},
        {"fraction": 0.1, "drop": [""]},
        {"fraction": 0.1, "max_rows": 0},
        {"fraction": 0.1, "max_rows": 1.5},
        {"fraction": 0.1, "keep": []},
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(site: Site, how: dict[str, Any]) -> None:
    refused = site.client.request("PUT", "/registry/hosted.iris/sampling", json=how)
    assert refused.status_code == 422
    assert site.client.get("/registry/hosted.iris/sampling").json()["fraction"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/registry/other/sampling"),
        ("PUT", "/registry/other/sampling"),
        ("DELETE", "/registry/other/sampling"),
        ("POST", "/registry/other/versions/1/drift"),
        ("POST", "/registry/hosted.iris/versions/9/drift"),
        ("POST", "/registry/hosted.iris/versions/1/drift?against=9"),
        ("PUT", "/registry/hosted.iris/versions/9/snapshot"),
        ("GET", "/registry/%00/sampling"),
    ],
)
def test_models_and_versions_that_are_not_there_are_404(site: Site, method: str, path: str) -> None:
    more: dict[str, Any] = {"content": b"x\n1\n"} if path.endswith("snapshot") else {"json": {"fraction": 0.5}}
    assert site.client.request(method, path, **more).status_code == 404


@pytest.mark.parametrize("query", ["min_rows=0", "min_rows=x", "hours=0", "hours=inf", "against=0", "against=a"])
def test_a_comparison_that_cannot_be_is_refused(site: Site, query: str) -> None:
    assert site.client.post(f"/registry/hosted.iris/versions/1/drift?{query}").status_code == 422


def test_a_plugin_without_rows_says_so(site: Site) -> None:
    site.registry.publish("sample", {}, author="me", code_version="1", alias="default")
    refused = site.keep("sample")
    assert (refused.status_code, "declares no `row`" in refused.json()["detail"]) == (409, True)


def test_what_was_kept_is_deleted_with_the_wish_to_keep_it(site: Site) -> None:
    site.keep()
    site.predict(rows(10))
    site.sampler.flush()
    told = site.client.get("/registry/hosted.iris/sampling").json()
    assert [(item["version"], item["rows"]) for item in told["versions"]] == [(1, 10)]
    site.predict(rows(10))
    assert site.client.request("DELETE", "/registry/hosted.iris/sampling").status_code == 204
    assert site.sampler.waiting_rows("hosted.iris") == 0
    told = site.client.get("/registry/hosted.iris/sampling").json()
    assert (told["active"], told["fraction"], told["versions"]) == (False, 0, [])
    assert site.registry.blobs.share.find(FOLDER) == []


def test_changes_are_in_the_audit_log(site: Site) -> None:
    site.keep(drop=["email"])
    site.client.request("DELETE", "/registry/hosted.iris/sampling")
    records = site.client.get("/audit").json()["records"]
    found = [(item["action"], item["target"]) for item in records if item["action"].startswith("sampling")]
    assert sorted(found) == [("sampling.changed", "hosted.iris"), ("sampling.cleared", "hosted.iris")]


def test_rows_wait_while_the_share_is_away_and_requests_are_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.keep()
    share = site.registry.blobs.share
    root = Path(str(share.local_path("samples")))
    root.write_text("a file where the folder should be")
    site.predict(rows(10))
    assert site.sampler.flush() == 0
    assert site.sampler.waiting_rows("hosted.iris") == 10
    root.unlink()
    assert site.sampler.flush() == 10
    assert kept(site).rows == 10


def test_a_share_that_is_away_is_told(site: Site) -> None:
    site.snapshot(csv(rows(300)))
    share = site.registry.blobs.share
    folder = Path(str(share.local_path("samples")))
    site.keep()
    site.predict(rows(200))
    site.sampler.flush()
    for file in folder.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    damaged = site.drift()
    assert (damaged.status_code, damaged.json()["rows"]) == (409, 0)


def test_a_model_that_was_deleted_leaves_no_wish_and_no_rows(site: Site) -> None:
    site.keep()
    site.predict(rows(10))
    site.sampler.flush()
    assert site.client.request("DELETE", "/registry/hosted.iris").status_code == 204
    chore = SampleChore(lambda: site.registry, RegistrySettings())
    assert chore.tidy() == 1
    assert site.registry.blobs.share.find(FOLDER) == []
    site.upload(1)
    assert site.client.get("/registry/hosted.iris/sampling").json()["fraction"] == 0


def test_the_hourly_round_compares_what_serves(site: Site) -> None:
    site.snapshot(csv(rows(500)))
    site.keep()
    site.predict(rows(200, 5.0))
    site.sampler.flush()
    chore = SampleChore(lambda: site.registry, RegistrySettings())
    assert chore.begin() == 0
    chore.join(60)
    labels = {"model": "hosted.iris", "version": "1", "column": "input.X.3"}
    assert (REGISTRY.get_sample_value("atoll_drift_psi", labels) or 0) > 1


def test_a_process_learns_what_is_wanted_from_the_database(site: Site, tmp_path: Path) -> None:
    site.keep()
    other = made_site(tmp_path)
    try:
        other.sampler.look()
        other.predict(rows(3))
        assert other.sampler.waiting_rows("hosted.iris") == 3
    finally:
        other.runtime.stop()


def test_comparisons_at_once_are_answered(site: Site) -> None:
    site.snapshot(csv(rows(500)))
    site.keep()
    site.predict(rows(200))

    async def ask() -> list[int]:
        from tests.support.clients import connected

        async with connected(site.client.app) as client:
            path = "/registry/hosted.iris/versions/1/drift"
            return [answer.status_code for answer in await asyncio.gather(*(client.post(path) for _ in range(4)))]

    assert asyncio.run(ask()) == [200] * 4
