"""What old messages may look like, and what is made of them."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from models.scaleout.old_definitions import OldPrediction, OldUpdate, loads
from models.scaleout.old_submission import OldSubmission
from tests.models.scaleout.payloads import T0_MS, job_end, stage, submission


def stage_of(**more: Any) -> dict[str, Any]:
    """What is kept of a stage that a listener tells of."""
    told = {"0": stage(0, T0_MS, T0_MS + 5, **more)}
    event = OldUpdate.model_validate(job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9, stages=told))
    found: dict[str, Any] = event.told()[1][0]["stages"]["0"]
    return found


def test_a_reason_of_failure_with_a_long_stack_trace_loses_no_event() -> None:
    reason = "ExecutorLostFailure\n" + "\tat org.apache.spark.scheduler.Task.run(Task.scala:141)\n" * 500
    kept = stage_of(failure_reason=reason, stage_name="x" * 9000)
    assert reason.startswith(kept["failure_reason"])
    assert (len(kept["failure_reason"]), len(kept["name"])) == (4000, 4000)


def test_what_a_database_cannot_keep_within_a_text_is_taken_out() -> None:
    assert stage_of(stage_name="a\0b")["name"] == "ab"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_count_as_not_told(number: str) -> None:
    event = job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9)
    event["updates"] = event["updates"].replace('"gc_time_ratio": 0.05', f'"gc_time_ratio": {number}')
    job = OldUpdate.model_validate(event).told()[1][0]
    assert "gc_time_ratio" not in job["stages"]["0"]["metrics"]
    assert job["stages"]["0"]["metrics"]["cpu_utilization"] == 0.8


def test_a_name_that_has_nan_in_it_stays_as_it_is_beside_one_that_is_none() -> None:
    assert loads('{"stage_name": "fillNaN at Frame.scala:7", "gc_time_ratio": NaN}')["stage_name"] == (
        "fillNaN at Frame.scala:7"
    )


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "", "nul", '{"a": 1} {}'])
def test_a_text_that_is_no_json_is_refused_however_deep_it_is(text: str) -> None:
    with pytest.raises(ValidationError, match="is no JSON"):
        OldUpdate.model_validate(job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9) | {"updates": text})


def test_without_a_word_on_predicting_no_plan_is_asked_for() -> None:
    event = job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9)
    assert OldPrediction.model_validate(event | {"predict": None}).predict is False


def test_parts_of_a_submission_that_are_null_count_as_not_told() -> None:
    given = submission(algorithm_args=None, data_size_MB=None, min_scale_out=None)
    given |= {"optional_specs": None, "master_specs": None}
    given["spark_template_values"]["scale_out_tuner"]["config"]["rest_timeout"] = None
    body = OldSubmission.model_validate(json.loads(json.dumps(given)))
    assert (body.global_specs.min_scale_out, body.context().versions, body.master_specs.cores) == (1, {}, None)
    assert body.spark_template_values.scale_out_tuner.config.rest_timeout is None
