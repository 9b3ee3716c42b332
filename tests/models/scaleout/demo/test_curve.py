import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from models.scaleout.demo.command import portions
from models.scaleout.demo.curve import lines, recommendation, share
from models.scaleout.demo.picture import svg
from models.scaleout.traces import carried


def answer(*medians: float, chosen: int = 2) -> dict[str, Any]:
    curve = [
        {
            "scale_out": number,
            "median_s": median,
            "low80_s": 0.8 * median,
            "high80_s": 1.2 * median,
            "low90_s": 0.7 * median,
            "high90_s": 1.4 * median,
            "probability": 0.5,
        }
        for number, median in enumerate(medians, start=1)
    ]
    best = {"scale_out": chosen, "probability": 0.93, "executor_minutes": 1.5, "why": "the cheapest that is in time"}
    return {"curve": curve, "recommendation": best, "model": "graph", "runs": 9}


def test_every_scale_out_has_a_line_and_the_recommended_one_a_mark() -> None:
    shown = lines(answer(40, 22, 20), target_s=30)
    assert len(shown) == 4
    assert max(map(len, shown)) < 80
    assert [line.endswith("<-") for line in shown[1:]] == [False, True, False]


def test_the_median_lies_between_the_ends_of_the_interval() -> None:
    for line in lines(answer(40, 22, 20), width=50)[1:]:
        assert line.index("├") < line.index("●") < line.index("┤")


def test_longer_times_reach_farther_to_the_right() -> None:
    first, second, third = (line.index("●") for line in lines(answer(40, 22, 20))[1:])
    assert first > second >= third


def test_without_a_model_the_demonstration_says_so() -> None:
    assert lines({**answer(), "curve": []}) == ["no model can answer from what is known"]


def test_the_recommendation_is_a_sentence() -> None:
    assert recommendation(answer(40, 22), 30).startswith(
        "Take 2 executors: done in 30 s with a probability of 93%, for 1.50 executor-minutes."
    )


def test_a_probability_is_never_shown_as_more_than_it_is() -> None:
    assert [share(value) for value in (0.896, 0.29, 0.9999, 1.0)] == ["89%", "29%", "99%", "100%"]


@pytest.mark.parametrize("target_s", [None, 30.0])
@pytest.mark.parametrize("medians", [(40.0,), (40.0, 22.0, 20.0)])
def test_the_picture_is_well_formed_and_escapes_its_title(medians: tuple[float, ...], target_s: float | None) -> None:
    root = ElementTree.fromstring(svg(answer(*medians, chosen=1), "a < b", target_s, "Take 1 & go"))  # noqa: S314 - our own
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == len(medians)
    shown = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "take 1", "Take 1 & go"} <= set(shown)
    assert ("target 30 s" in shown) == (target_s is not None)


def test_all_carried_runs_are_sent() -> None:
    sent = [run["execution_id"] for portion in portions() for run in portion]
    assert sent == [run.execution_id for run in carried()]
