"""Training imputation, on the generated data set: what is published, and how a prediction asks with it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from common.jobs.records import Job
from common.jobs.states import State
from common.jobs.studies import trials_of
from models._indicators import source
from models.imputation import choices, training
from models.imputation.trained import SPEC
from tests.support.plugins import make_app
from tests.support.problems import assert_invalid, assert_problem
from tests.support.trainings import TrainingClient

PATH = "/imputation/train"
YEAR = "2018"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingClient]:
    made = TrainingClient(make_app(tmp_path_factory.mktemp("imputation"), serve=("imputation",)))
    (record,) = made.runtime.records
    record.load()
    assert record.is_ready(), record.reason
    yield made
    made.jobs.stop(0)


@pytest.fixture(scope="module")
def targets(client: TrainingClient) -> list[str]:
    data = source.current()
    return [data.indicators[at] for at in sorted(choices.of_year(data, int(YEAR)).targets)]


@pytest.fixture(scope="module")
def job(client: TrainingClient, targets: list[str]) -> Job:
    """A training of six trials that has ended."""
    ended = client.train(PATH, target_year=YEAR, target=targets[0], trials=6, seed=1)
    assert ended.state is State.SUCCEEDED, ended.error
    return ended


def result(client: TrainingClient, job: Job) -> dict[str, Any]:
    found = client.jobs.store.result(client.jobs.store.get(job.id))
    assert found is not None
    answer: dict[str, Any] = json.loads(found.body)
    return answer


def published(client: TrainingClient, number: int) -> dict[str, Any]:
    registry = client.runtime.registry
    spec: dict[str, Any] = json.loads(registry.blobs.read(registry.get("imputation", number).artefact(SPEC).ref))
    return spec


def predict(client: TrainingClient, target: str, version: object = None, **more: Any) -> Any:
    body = {"target_year": YEAR, "target": target, "scheme": "AFS", "number_predictor": 4, "estimators": 10, **more}
    query = "" if version is None else f"?version={version}"
    return client.post(f"/imputation/predict{query}", json=body)


def test_the_best_choices_are_published_with_their_error(client: TrainingClient, job: Job) -> None:
    told = result(client, job)
    spec = published(client, told["version"])
    assert (spec["model"], spec["scheme"]) == (told["best_params"]["model"], told["best_params"]["scheme"])
    assert (spec["number_predictor"], spec["estimators"]) == (
        told["best_params"]["predictors"],
        told["best_params"]["trees"],
    )
    assert set(told["metrics"]) == {"rmse", "rmse_deviation", "baseline"}


def test_the_best_is_no_worse_than_what_is_asked_by_default(client: TrainingClient, job: Job) -> None:
    metrics = result(client, job)["metrics"]
    assert metrics["rmse"] <= metrics["baseline"]


def test_the_error_is_that_of_a_prediction_with_the_version(
    client: TrainingClient, job: Job, targets: list[str]
) -> None:
    told = result(client, job)
    answer = predict(client, targets[0], told["version"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["rmse"] == told["metrics"]["rmse"]
    assert answer.json()["model"] == told["best_params"]["model"]


def test_a_trial_tells_its_error_at_rising_numbers_of_trees(client: TrainingClient, job: Job) -> None:
    first = trials_of(client.jobs.database, job.id)[0]
    assert list(first["intermediate"]) == ["10", "30", "100"]
    assert first["value"] == first["intermediate"]["100"]


def test_the_same_seed_publishes_the_same(client: TrainingClient, job: Job, targets: list[str]) -> None:
    again = client.train(PATH, target_year=YEAR, target=targets[0], trials=6, seed=1)
    first, second = result(client, job), result(client, again)
    assert published(client, first.pop("version")) == published(client, second.pop("version"))
    assert first == second


def test_only_the_models_named_are_tried(client: TrainingClient, targets: list[str]) -> None:
    ended = client.train(PATH, target_year=YEAR, target=targets[0], trials=4, models=["etr"])
    assert {trial["params"]["model"] for trial in trials_of(client.jobs.database, ended.id)} == {"etr"}


@pytest.mark.parametrize("version", ["number", "default"])
def test_the_version_that_answered_stands_in_the_header(
    client: TrainingClient, targets: list[str], version: str
) -> None:
    ended = client.train(PATH, target_year=YEAR, target=targets[0], trials=1, models=["rfr"])
    number = result(client, ended)["version"]
    answer = predict(client, targets[0], number if version == "number" else version)
    assert answer.headers["x-model-version"] == str(number)


def test_a_prediction_without_a_version_is_answered_as_before(client: TrainingClient, targets: list[str]) -> None:
    answer = predict(client, targets[0])
    assert answer.status_code == 200
    assert "x-model-version" not in answer.headers
    assert len(answer.json()["model_feature_names"]) == 4


def test_a_version_answers_on_the_old_prefix_too(client: TrainingClient, job: Job, targets: list[str]) -> None:
    number = result(client, job)["version"]
    body = {"target_year": YEAR, "target": targets[0], "scheme": "AFS", "number_predictor": 4}
    answer = client.post(f"/twolvlImp/predict?version={number}", json=body)
    assert (answer.status_code, answer.headers["x-model-version"]) == (200, str(number))


def test_a_version_replaces_predictors_chosen_by_hand(client: TrainingClient, job: Job, targets: list[str]) -> None:
    number = result(client, job)["version"]
    by_hand = predict(client, targets[0], number, scheme="MANUAL", manual_predictors=[targets[1]])
    assert by_hand.content == predict(client, targets[0], number).content


def test_a_version_of_another_target_is_refused(client: TrainingClient, job: Job, targets: list[str]) -> None:
    number = result(client, job)["version"]
    assert_invalid(predict(client, targets[1], number), "query.version", told=f"was trained for {targets[0]} in {YEAR}")


def test_a_version_that_does_not_exist_is_not_found(client: TrainingClient, job: Job, targets: list[str]) -> None:
    assert_problem(predict(client, targets[0], 999), 404, told="imputation has no version 999")
    assert_problem(predict(client, targets[0], "champion"), 404, told="imputation has no alias 'champion'")


@pytest.mark.parametrize("version", ["", "-1", "Ä", "1:2"])
def test_what_is_no_version_is_refused(client: TrainingClient, targets: list[str], version: str) -> None:
    assert_invalid(predict(client, targets[0], version), "query.version")


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        ({"target_year": "1066"}, "target_year", "not a year of the data set; use "),
        ({"target": "nothing"}, "target", f"no such indicator; GET targets?target_year={YEAR}"),
        (
            {"dataset": "nothing"},
            "dataset",
            f"no such data set with targets in {YEAR}; GET datasets?target_year={YEAR}",
        ),
    ],
)
def test_a_question_that_the_data_cannot_answer_is_refused_at_once(
    client: TrainingClient, targets: list[str], body: dict[str, Any], field: str, told: str
) -> None:
    before = client.jobs.store.counts()
    answer = client.post(PATH, json={"target_year": YEAR, "target": targets[0]} | body)
    assert_invalid(answer, f"body.{field}", told=told)
    assert client.jobs.store.counts() == before


def test_a_target_that_cannot_be_filled_in_its_year_is_refused(client: TrainingClient) -> None:
    data = source.current()
    year, code = next(
        (str(year), code)
        for year in data.years
        for at, code in enumerate(data.indicators)
        if at not in choices.of_year(data, year).targets
    )
    answer = client.post(PATH, json={"target_year": year, "target": code})
    assert_invalid(answer, "body.target", told=f"cannot be filled in {year}")


def test_a_target_that_all_predictors_repeat_is_refused(
    client: TrainingClient, targets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "clones_of", lambda data, values, target, columns: columns)
    answer = client.post(PATH, json={"target_year": YEAR, "target": targets[0]})
    assert_invalid(answer, "body.target", told="use another year or target")


def test_a_question_that_the_data_can_no_longer_answer_fails_the_job(
    client: TrainingClient, targets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.job(client.post(PATH, json={"target_year": YEAR, "target": targets[0]}))
    monkeypatch.setattr(training, "clones_of", lambda data, values, target, columns: columns)
    ended = client.run(job)
    assert (ended.state, ended.error) == (
        State.FAILED,
        f"target: all predictors in {YEAR} repeat {targets[0]}; use another year or target",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trials": 1001}, "body.trials"),
        ({"models": []}, "body.models"),
        ({"models": ["all"]}, "body.models.0"),
        ({"timeout_s": 0}, "body.timeout_s"),
    ],
)
def test_a_wrong_field_is_refused(client: TrainingClient, body: dict[str, Any], field: str) -> None:
    assert_invalid(client.post(PATH, json={"target_year": YEAR, "target": "x"} | body), field)
