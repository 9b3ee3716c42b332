"""`host.json` as the doctor judges it."""

import copy
import json
from typing import Any

import pytest

from common.doctor.host_file import check_host
from common.doctor.plans import PLANS
from common.settings import CHECKOUT

OURS: dict[str, Any] = json.loads((CHECKOUT / "host.json").read_text())


def levels(change: dict[str, Any], plan: str = "flex") -> list[tuple[str, str]]:
    """Level and text of what is not well, once `change` (dotted names) was made to the host.json of the repository."""
    host = copy.deepcopy(OURS)
    for path, value in change.items():
        *way, last = path.split(".")
        place = host
        for name in way:
            place = place[name]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return [(item.level, item.what) for item in check_host(host, PLANS[plan]) if item.level != "ok"]


def test_our_own_host_file_is_well_on_every_plan() -> None:
    assert {name: levels({}, name) for name in PLANS} == {name: [] for name in PLANS}


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({"version": "1.0"}, "error", "version"),
        ({"extensionBundle": None}, "error", "extensionBundle is missing"),
        ({"extensionBundle.version": "[3.3.0, 4.0.0)"}, "error", "begins with 3"),
        ({"extensionBundle.version": "4.x"}, "error", "no range"),
        ({"extensionBundle.version": "[4.*, 6.0.0)"}, "warning", "admits 6.x"),
        ({"extensionBundle.version": "[4.0.0, 5.0.0]"}, "warning", "admits 5.x"),
        ({"extensions.queues.messageEncoding": "none"}, "error", "messageEncoding"),
        ({"extensions.queues.maxDequeueCount": 1}, "error", "maxDequeueCount"),
        ({"extensions.queues.maxDequeueCount": True}, "error", "maxDequeueCount"),
        ({"extensions.queues.visibilityTimeout": "soon"}, "error", "visibilityTimeout"),
        ({"extensions.queues.visibilityTimeout": "00:00:00"}, "warning", "tried 5 times with 0 s"),
        ({"extensions.queues.visibilityTimeout": None}, "warning", "tried 5 times with 0 s"),
        ({"extensions.queues.batchSize": 64}, "error", "batchSize"),
        ({"extensions.queues.batchSize": 16}, "warning", "up to 16 messages"),
        ({"extensions.queues.newBatchThreshold": None, "extensions.queues.batchSize": 8}, "warning", "up to 12"),
        ({"extensions.queues.maxPollingInterval": "00:05:00"}, "warning", "maxPollingInterval"),
        ({"extensions.http.routePrefix": None}, "error", "routePrefix is 'api'"),
        ({"concurrency.dynamicConcurrencyEnabled": True}, "warning", "dynamicConcurrencyEnabled"),
        ({"logging.applicationInsights.samplingSettings.excludedTypes": None}, "warning", "sampled"),
    ],
)
def test_what_is_wrong_is_found_once_and_alone(change: dict[str, Any], level: str, said: str) -> None:
    ((found, what),) = levels(change)
    assert found == level
    assert said in what


def test_a_long_function_is_refused_only_where_the_plan_ends_it() -> None:
    assert [level for level, _ in levels({"functionTimeout": "01:00:00"}, "consumption")] == ["error"]
    assert [level for level, _ in levels({"functionTimeout": "-1"}, "consumption")] == ["error"]
    assert levels({"functionTimeout": "01:00:00"}) == []
    assert levels({"functionTimeout": "-1"}) == []


def test_values_of_any_type_are_told_not_raised() -> None:
    values: tuple[Any, ...] = (None, [], {}, 3, "x", True, 1.5)
    for value in values:
        host = {
            "version": value,
            "extensionBundle": value,
            "extensions": {"queues": value, "http": value},
            "functionTimeout": value,
        }
        assert any(item.level == "error" for item in check_host(host, PLANS["flex"]))
