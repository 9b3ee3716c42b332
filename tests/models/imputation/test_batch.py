"""A batch, in this process: what it does, what it refuses, what it finds again."""

import csv
import hashlib
import io
import os
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from common.jobs.states import State
from common.storage import Share, open_share
from models._indicators import IndicatorSet, source
from models.imputation import batch, batch_work
from models.imputation.batch import Part, Row
from models.imputation.definitions import BatchRequest
from models.imputation.spec import ImputationError
from tests.jobs.kernel import in_thread
from tests.support.markdown import page
from tests.support.plugins import make_app
from tests.support.problems import assert_invalid
from tests.support.trainings import TrainingClient

# Some of its indicators cannot be filled.
YEAR = "2019"
QUICK: dict[str, Any] = {"target_year": YEAR, "number_predictor": 3, "estimators": 3, "use_history": False}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingClient]:
    """On the generated data set."""
    made = TrainingClient(make_app(tmp_path_factory.mktemp("imputation"), serve=("imputation",)))
    made.runtime.records[0].load()
    yield made
    made.jobs.stop(0)


@pytest.fixture
def share(client: TrainingClient) -> Share:
    return open_share(client.runtime.settings.storage)


@pytest.fixture
def data(client: TrainingClient) -> IndicatorSet:
    return source.current()


@pytest.fixture
def few(data: IndicatorSet) -> list[str]:
    """Codes of three targets."""
    return [code for code, _ in batch.plan(data, BatchRequest(target_year=YEAR)).questions][:3]


def post(client: TrainingClient, **body: Any) -> httpx.Response:
    return client.post("/imputation/batch", json=body)


def result(client: TrainingClient, **body: Any) -> dict[str, Any]:
    """What the job of a batch has answered."""
    job = client.run(client.job(post(client, **QUICK | body)))
    assert job.state is State.SUCCEEDED, job.error
    told: dict[str, Any] = client.get(f"/jobs/{job.id}/result").json()
    return told


def lines(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_its_values_are_those_of_single_predictions(client: TrainingClient, few: list[str]) -> None:
    told = result(client, targets=few)
    found = lines(client.get(told["file"]).content)
    assert [item["target"] for item in told["filled"]] == few
    assert len(found) == told["rows"] > 0
    for code in few:
        body = QUICK | {"target": code, "scheme": "AFS"}
        single = client.post("/imputation/predict", json=body).json()["prediction"]
        rows = [row for row in found if row["indicator"] == code]
        assert [row["country"] for row in rows] == single["Country Code"]
        for name, column in (("prediction", "value"), ("lower", "lower"), ("upper", "upper")):
            assert [float(row[column]) for row in rows] == single[name]


def test_the_result_names_the_file_its_size_and_its_digest(
    client: TrainingClient, share: Share, few: list[str]
) -> None:
    told = result(client, targets=few)
    content = b"".join(share.read(told["share_path"]))
    assert (len(content), hashlib.sha256(content).hexdigest()) == (told["size_bytes"], told["sha256"])
    answer = client.get(told["file"])
    assert answer.content == content
    assert answer.headers["content-type"].startswith("text/csv")


def test_another_batch_takes_the_parts_of_an_earlier_one_as_they_are(
    client: TrainingClient, share: Share, few: list[str]
) -> None:
    result(client, targets=few[:2], estimators=4)
    before = {info.path: info.etag for info in share.find("imputation/parts")}
    result(client, targets=few, estimators=4)
    after = {info.path: info.etag for info in share.find("imputation/parts")}
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


def test_the_order_in_which_targets_are_named_does_not_matter(client: TrainingClient, few: list[str]) -> None:
    assert result(client, targets=few) == result(client, targets=[*reversed(few), few[0]])


def test_a_damaged_part_is_computed_again(
    client: TrainingClient, share: Share, data: IndicatorSet, few: list[str]
) -> None:
    told = result(client, targets=few[:1])
    spec = dict(batch.plan(data, BatchRequest(**QUICK, targets=few[:1])).questions)[few[0]]
    key = batch.part_key(data, spec)
    share.write(f"imputation/parts/{key[:2]}/{key}.json", [b'00\n{"target":"x","rows":[]}'])
    assert result(client, targets=few[:1]) == told
    part = batch_work.load_part(share, key)
    assert part is not None
    assert part.target == few[0]


def test_a_damaged_table_is_not_given_out(client: TrainingClient, share: Share, few: list[str]) -> None:
    told = result(client, targets=few[:1], estimators=5)
    share.write(told["share_path"], [b"country\n"])
    assert client.get(told["file"]).status_code == 424
    # And written again from its parts.
    assert result(client, targets=few[:1], estimators=5) == told
    assert client.get(told["file"]).status_code == 200


def test_a_target_that_cannot_be_filled_is_listed_with_its_reason(
    client: TrainingClient, data: IndicatorSet, few: list[str]
) -> None:
    fillable = {code for code, _ in batch.plan(data, BatchRequest(target_year=YEAR)).questions}
    other = next(code for code in data.indicators if code not in fillable)
    told = result(client, targets=[few[0], other])
    assert [item["target"] for item in told["filled"]] == [few[0]]
    assert [item["target"] for item in told["skipped"]] == [other]
    assert f"in {YEAR}" in told["skipped"][0]["reason"]


def test_a_target_that_no_small_island_state_misses_is_listed_as_that(data: IndicatorSet) -> None:
    skipped = dict(batch.plan(data, BatchRequest(target_year=YEAR)).skipped)
    assert skipped == {"dev-electricity.access.rural": "no small island state misses it"}


def test_it_tells_how_many_targets_are_done(client: TrainingClient, few: list[str]) -> None:
    job = client.job(post(client, **QUICK, targets=few, interval="bootstrap"))
    client.run(job)
    told = client.get(f"/jobs/{job.id}").json()
    assert (told["progress"], told["message"]) == (1.0, "3 of 3 targets")


def test_cancelled_between_two_targets_it_keeps_what_is_done(
    client: TrainingClient, share: Share, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved, go_on = batch_work.save_part, threading.Event(), threading.Event()

    def save_and_wait(*args: Any) -> None:
        save(*args)
        saved.set()
        go_on.wait(60)

    monkeypatch.setattr(batch_work, "save_part", save_and_wait)
    before = len(share.find("imputation/parts"))
    job = client.job(post(client, **QUICK, targets=few, model="etr"))
    running = in_thread(lambda: client.run(job))
    assert saved.wait(60)
    client.jobs.service.cancel(job.id)
    running.join(60)
    go_on.set()
    assert client.jobs.store.get(job.id).state is State.CANCELLED
    assert len(share.find("imputation/parts")) == before + 1


def fail_for(code: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine raises `error` for one target."""
    from models.imputation import service
    from models.imputation.engine import impute

    def picky(data: IndicatorSet, spec: Any, memory: Any) -> Any:
        if data.indicators[spec.target] == code:
            raise error
        return impute(data, spec, memory)

    monkeypatch.setattr(service, "impute", picky)


def test_a_target_that_the_engine_refuses_is_listed_with_what_it_said(
    client: TrainingClient, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(few[1], ImputationError("clones leave no predictor"), monkeypatch)
    told = result(client, targets=few, estimators=6)
    assert [item["target"] for item in told["filled"]] == [few[0], few[2]]
    assert told["skipped"] == [{"target": few[1], "reason": "clones leave no predictor"}]


def test_a_target_that_fails_costs_the_others_nothing_and_is_tried_again(
    client: TrainingClient, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        fail_for(few[1], ValueError("an odd column"), patched)
        told = result(client, targets=few, estimators=7)
    assert [item["target"] for item in told["filled"]] == [few[0], few[2]]
    assert told["skipped"] == [{"target": few[1], "reason": "failed: ValueError: an odd column"}]
    assert [item["target"] for item in result(client, targets=few, estimators=7)["filled"]] == few


def test_a_category_stands_for_its_targets(data: IndicatorSet) -> None:
    all_of_them = batch.plan(data, BatchRequest(target_year=YEAR)).questions
    category = data.categories[all_of_them[0][1].target]
    chosen = batch.plan(data, BatchRequest(target_year=YEAR, category=category)).questions
    assert chosen == tuple(item for item in all_of_them if data.categories[item[1].target] == category)
    assert 0 < len(chosen) < len(all_of_them)


def test_a_dataset_stands_for_its_targets(data: IndicatorSet) -> None:
    all_of_them = batch.plan(data, BatchRequest(target_year=YEAR)).questions
    dataset = data.dataset_codes[all_of_them[0][1].target]
    chosen = batch.plan(data, BatchRequest(target_year=YEAR, dataset=dataset)).questions
    assert chosen == tuple(item for item in all_of_them if data.dataset_codes[item[1].target] == dataset)


def test_every_question_has_a_part_of_its_own(data: IndicatorSet) -> None:
    bodies = [BatchRequest(target_year=year, estimators=count) for year in (YEAR, "2018") for count in (10, 11)]
    specs = [spec for body in bodies for _, spec in batch.plan(data, body).questions]
    assert len({batch.part_key(data, spec) for spec in specs}) == len(set(specs)) == len(specs)


def test_the_table_is_plain_text_in_the_order_of_its_parts() -> None:
    row = Row(country="FJI", value=0.1 + 0.2, lower=-1e-9, upper=12.0, caveats=["a", "b"])
    parts = [Part(target="Z", reason="no"), Part(target="X", rows=[row])]
    expected = b"country,indicator,year,value,lower,upper,caveats\nFJI,X,2018,0.30000000000000004,-1e-09,12.0,a;b\n"
    assert batch.table(2018, parts) == expected


def test_caveats_of_the_whole_answer_stand_at_each_of_its_values() -> None:
    answer = {
        "prediction": {
            "Country Code": ["WSM", "FJI"],
            "prediction": [1.0, 2.0],
            "lower": [0.0] * 2,
            "upper": [3.0] * 2,
        },
        "caveats": [{"country": None, "code": "few", "message": ""}, {"country": "FJI", "code": "far", "message": ""}],
        "rmse": 1.0,
        "model": "rfr",
    }
    part = batch.part_of("X", answer)
    assert [(row.country, row.caveats) for row in part.rows] == [("FJI", ["far", "few"]), ("WSM", ["few"])]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"target_year": "1066"}, "target_year"),
        ({"dataset": "nowhere"}, "dataset"),
        ({"category": "Nothing"}, "category"),
        ({"targets": ["nothing"]}, "targets"),
        ({"targets": []}, "targets"),
        ({"scheme": "MANUAL"}, "scheme"),
        ({"number_predictor": 5000}, "number_predictor"),
        ({"number_predictor": 0}, "number_predictor"),
        ({"estimators": 1001}, "estimators"),
        ({"model": "oak"}, "model"),
        ({"target": "one"}, "target"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(client: TrainingClient, changed: dict[str, Any], field: str) -> None:
    assert_invalid(post(client, **QUICK | changed), f"body.{field}")


def test_nothing_to_fill_is_refused_at_once_with_the_reason(client: TrainingClient, data: IndicatorSet) -> None:
    fillable = {code for code, _ in batch.plan(data, BatchRequest(target_year=YEAR)).questions}
    other = next(code for code in data.indicators if code not in fillable)
    answer = post(client, **QUICK, targets=[other])
    assert_invalid(answer, "body.targets")
    assert "nothing to fill" in answer.json()["detail"]


def test_an_unknown_category_is_answered_with_those_that_there_are(client: TrainingClient, data: IndicatorSet) -> None:
    answer = post(client, **QUICK, category="Nothing")
    target = batch.plan(data, BatchRequest(target_year=YEAR)).questions[0][1].target
    assert data.categories[target] in answer.json()["detail"]


def test_a_table_that_is_not_there_is_not_found(client: TrainingClient) -> None:
    answer = client.get(f"/imputation/batch/{'0' * 64}")
    assert answer.status_code == 404
    assert "POST /imputation/batch" in answer.json()["detail"]


def test_parts_and_tables_are_removed_when_results_expire(client: TrainingClient, share: Share, few: list[str]) -> None:
    expire = client.jobs.scheduler.chores["files of imputation"]
    told = result(client, targets=few[:1], estimators=8)
    expire()
    assert client.get(told["file"]).status_code == 200
    days = client.runtime.settings.jobs.result_days
    for info in share.find("imputation"):
        path = share.local_path(info.path)
        assert path is not None
        os.utime(path, (time.time() - (days + 1) * 86400,) * 2)
    share.write("imputation/other", [b"x"])
    assert expire() >= 2
    assert [info.path for info in share.find("imputation")] == ["imputation/other"]
    assert client.get(told["file"]).status_code == 404
    # And made again when it is asked for.
    assert result(client, targets=few[:1], estimators=8) == told


def test_a_name_that_is_no_digest_is_refused(client: TrainingClient) -> None:
    assert_invalid(client.get("/imputation/batch/latest"), "path.digest")


def test_the_request_of_the_page_is_answered_as_the_page_shows(client: TrainingClient) -> None:
    section = page("imputation.md").partition("## A whole year at once")[2].partition("\n## ")[0]
    sent = re.search(r"curl http://127\.0\.0\.1:7071/imputation/batch .*?-d '([^']+)'", section, re.DOTALL)
    shown = re.search(r"```json\n(.+?)```", section, re.DOTALL)
    table = re.search(r"```csv\n(.+?)\n", section)
    assert sent is not None
    assert shown is not None
    assert table is not None
    headers = {"Content-Type": "application/json"}
    job = client.run(client.job(client.post("/imputation/batch", content=sent.group(1), headers=headers)))
    told = client.get(f"/jobs/{job.id}/result").json()
    assert re.findall(r'^ +"(\w+)":', shown.group(1), re.MULTILINE) == list(told)
    assert client.get(told["file"]).text.splitlines()[0] == table.group(1)
