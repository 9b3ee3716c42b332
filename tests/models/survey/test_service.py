"""Clusters of surveys: which are found, and what is said of them."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from models.survey import service
from models.survey.definitions import SurveyRequest, SurveyResponse
from tests.models.survey.surveys import question, request, survey


def ask(data: Any, metadata: Any, **more: Any) -> dict[str, Any]:
    found = service.cluster(SurveyRequest(**request(data, metadata, **more)))
    SurveyResponse.model_validate(found)
    return found


@pytest.mark.parametrize(
    ("categorical", "continuous", "method"), [(12, 0, "k-modes"), (0, 8, "k-means"), (8, 4, "k-prototypes")]
)
@pytest.mark.parametrize("k", [2, 3])
def test_planted_groups_and_their_number_are_found(categorical: int, continuous: int, method: str, k: int) -> None:
    group, data, metadata = survey(k=k, categorical=categorical, continuous=continuous)
    found = ask(data, metadata)
    assert (found["method"], found["k"]) == (method, k)
    assert adjusted_rand_score(group, found["cluster_label"]) > 0.9
    assert found["questions"] == list(data)


def test_the_best_silhouette_decides_and_max_k_bounds_what_is_tried() -> None:
    _, data, metadata = survey()
    found = ask(data, metadata, max_k=5)
    assert [item["k"] for item in found["tried"]] == [2, 3, 4, 5]
    assert found["silhouette"] == max(item["silhouette"] for item in found["tried"])
    costs = [item["cost"] for item in found["tried"]]
    assert costs == sorted(costs, reverse=True)


def test_the_profile_is_counted_from_the_answers() -> None:
    _, data, metadata = survey()
    found = ask(data, metadata)
    labels = np.array(found["cluster_label"])
    assert [item["size"] for item in found["clusters"]] == np.bincount(labels).tolist()
    for item in found["clusters"]:
        members = np.flatnonzero(labels == item["label"]).tolist()
        assert item["typical_row"] in members
        assert item["share"] == pytest.approx(len(members) / len(labels), abs=1e-5)
        distinct = [abs(trait["distinct"]) for trait in item["profile"]]
        assert distinct == sorted(distinct, reverse=True)
        for trait in item["profile"]:
            answers = [data[trait["question"]][row] for row in members if data[trait["question"]][row] is not None]
            if trait["type"] == "categorical":
                assert max(map(answers.count, answers)) == answers.count(trait["typical"])
                assert trait["share"] == pytest.approx(answers.count(trait["typical"]) / len(answers), abs=1e-5)
            else:
                assert trait["typical"] == pytest.approx(np.mean(answers))


def test_only_the_questions_of_the_factor_count() -> None:
    _, data, metadata = survey()
    alone = ask(data, metadata)
    _, other, more = survey(seed=9)
    both = data | {f"other {name}": column for name, column in other.items()}
    more = [item | {"Question Name": f"other {item['Question Name']}", "Factor": "work"} for item in more]
    assert ask(both, metadata + more)["cluster_label"] == alone["cluster_label"]


def test_the_unit_of_a_number_does_not_matter() -> None:
    _, data, metadata = survey(categorical=0, continuous=5)
    scaled = {name: [None if v is None else v * 1e6 + 3 for v in column] for name, column in data.items()}
    assert ask(data, metadata)["cluster_label"] == ask(scaled, metadata)["cluster_label"]


def test_rows_without_gps_have_no_label_where_the_survey_has_gps() -> None:
    _, data, metadata = survey()
    where = [question("lon", "GPS longitude", "place"), question("lat", "gps LATITUDE", "")]
    coordinates: list[float | None] = [1.0] * 120
    data |= {"lon": [*coordinates[:-2], None, 1.0], "lat": [*coordinates[:-1], " "]}
    found = ask(data, metadata + where)
    assert [row for row, label in enumerate(found["cluster_label"]) if label is None] == [118, 119]
    assert [(item["code"], item["rows"]) for item in found["caveats"]] == [("rows_without_gps", 2)]
    kept = ask(data, metadata)
    assert None not in kept["cluster_label"]
    assert kept["caveats"] == []


def test_gps_that_the_data_does_not_have_leaves_out_no_row() -> None:
    _, data, metadata = survey()
    found = ask(data, [*metadata, question("lon", "GPS longitude")])
    assert None not in found["cluster_label"]
    assert [item["code"] for item in found["caveats"]] == ["no_gps_in_data"]


def test_a_row_without_any_answer_has_no_label_and_says_so() -> None:
    _, data, metadata = survey()
    for column in data.values():
        column[5] = None
    found = ask(data, metadata)
    assert [row for row, label in enumerate(found["cluster_label"]) if label is None] == [5]
    assert [(item["code"], item["rows"]) for item in found["caveats"]] == [("rows_without_answers", 1)]


def test_questions_that_tell_rows_not_apart_are_named_with_the_reason() -> None:
    _, data, metadata = survey()
    useless: dict[str, tuple[str, list[Any]]] = {
        "silent": ("categorical", [None] * 120),
        "silent number": ("continuous", [None, ""] * 60),
        "same": ("categorical", ["yes"] * 119 + [None]),
        "same number": ("continuous", [0.1] * 120),
        "name": ("categorical", [f"person {row}" for row in range(120)]),
        "remark": ("text", ["…"] * 120),
    }
    asked = [question(name, kind) for name, (kind, _) in useless.items()] + [question("absent", "categorical")]
    found = ask(data | {name: column for name, (_, column) in useless.items()}, metadata + asked)
    assert found["cluster_label"] == ask(data, metadata)["cluster_label"]
    assert {item["question"]: item["reason"] for item in found["left_out"]} == {
        "silent": "nobody answered it",
        "silent number": "nobody answered it",
        "same": "all answers are the same",
        "same number": "all answers are the same",
        "name": "every answer is different",
        "remark": "its type is 'text', neither categorical nor continuous",
        "absent": "data has no such column",
    }


def test_noise_comes_with_a_caveat() -> None:
    rng = np.random.default_rng(0)
    data = {f"q{at}": rng.choice(["a", "b", "c", "d"], 200).tolist() for at in range(20)}
    found = ask(data, [question(name, "categorical") for name in data])
    assert [item["code"] for item in found["caveats"]] == ["weak_structure"]


def test_of_many_rows_a_sample_is_judged_and_it_is_said() -> None:
    group, data, metadata = survey(n=2400, k=3)
    found = ask(data, metadata)
    assert [(item["code"], item["rows"]) for item in found["caveats"]] == [("sampled", 1500)]
    assert adjusted_rand_score(group, found["cluster_label"]) > 0.9


def test_two_rows_are_enough() -> None:
    found = ask({"q": [1, 2]}, [question("q", "continuous")])
    assert found["cluster_label"] == [0, 1]
