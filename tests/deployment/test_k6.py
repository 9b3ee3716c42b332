"""Load scripts; those of k6 are run for seconds by the STAND-IN for k6 in `../shared/lab`, on a real Atoll."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import CHECKOUT, Server

K6 = CHECKOUT / "deployment" / "k6"
RUNNER = CHECKOUT.parent / "shared" / "lab" / "k6" / "run.sh"
needs_lab = pytest.mark.skipif(not RUNNER.exists(), reason="the stand-in for k6 is not in ../shared/lab/k6")


def run(script: str, url: str, summary: Path, **variables: str) -> dict[str, Any]:
    """The metrics of a short run; how long requests took decides nothing."""
    given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    done = subprocess.run(
        [RUNNER, K6 / script, "-e", f"BASE_URL={url}", *given],
        env=os.environ | {"LAB_SUMMARY": str(summary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 99), done.stdout + done.stderr
    assert "type check: ok" in done.stdout
    metrics: dict[str, Any] = json.loads(summary.read_text())["metrics"]
    return metrics


def held(metrics: dict[str, Any], name: str) -> list[bool]:
    return [limit["ok"] for limit in metrics[name]["thresholds"].values()]


@needs_lab
def test_the_sentiment_load_gets_only_right_answers(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(env={"SERVICE_MODEL": "sentiment", "ATOLL_ROLES": "http"})
    metrics = run("load.js", server.url, tmp_path / "k6.json", USERS="2", DURATION="2s")
    assert metrics["checks"]["values"]["passes"] > 0
    assert held(metrics, "checks") == [True]
    assert held(metrics, "http_req_failed") == [True]


@needs_lab
def test_a_server_that_answers_something_else_fails_the_load(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "ATOLL_ROLES": "http"})
    metrics = run("load.js", server.url, tmp_path / "k6.json", USERS="1", DURATION="1s")
    assert held(metrics, "checks") == [False]
    assert held(metrics, "http_req_failed") == [False]


@needs_lab
def test_each_user_asks_its_imputation_questions_and_then_rests(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(env={"SERVICE_MODEL": "imputation", "ATOLL_ROLES": "http"})
    metrics = run("imputation.js", server.url, tmp_path / "k6.json", USERS="1", LOOPS="1", RAMP="1s", HOLD="3s")
    assert metrics["questions"]["values"]["count"] == 1
    assert held(metrics, "checks") == [True]


@needs_lab
def test_queued_jobs_are_followed_to_their_results(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    metrics = run("jobs.js", server.url, tmp_path / "k6.json", USERS="1", DURATION="1s")
    assert metrics["job_finished_ms"]["values"]["count"] >= 1
    assert held(metrics, "checks") == [True]


def test_all_three_tools_ask_the_same_sentences() -> None:
    script, locust = (K6 / "load.js").read_text(), (CHECKOUT / "deployment/locust/load.py").read_text()
    mixture = (CHECKOUT / "benchmarks/sentiment/mixture.py").read_text()
    quoted = re.compile(r"""['"]([A-Z][^'"\n]{8,}?[a-z!])['"],""")
    said = [set(quoted.findall(text)) & set(quoted.findall(mixture)) for text in (script, locust)]
    assert len(said[0]) >= 10
    assert said[0] == said[1]


def test_the_limits_of_the_load_are_those_that_were_asked_for() -> None:
    script = (K6 / "load.js").read_text()
    for limit in ("'p(99)<2000'", "'rate==0'", "'rate>=10'", "'CACHE_RATE', 0.95", "'USERS', 10", "'10m'"):
        assert limit in script


def test_the_jmeter_plan_has_20_users_within_60_seconds_and_20_loops() -> None:
    # Written by us: nothing in it can be an attack on the parser.
    plan = ET.parse(CHECKOUT / "deployment/jmeter/imputation.jmx").getroot()  # noqa: S314
    texts = {element.get("name"): element.text for element in plan.iter("stringProp")}
    assert texts["ThreadGroup.num_threads"] == "${__P(users,20)}"
    assert texts["ThreadGroup.ramp_time"] == "${__P(ramp_s,60)}"
    assert texts["LoopController.loops"] == "${__P(loops,20)}"


def test_the_limits_of_locusts_twin_are_the_same() -> None:
    script = (CHECKOUT / "deployment/locust/load.py").read_text()
    for limit in ("P99_LIMIT_MS, RATE_LIMIT = 2000, 10", 'environ.get("CACHE_RATE") or 0.95', "total.num_failures > 0"):
        assert limit in script


def test_the_imputation_load_has_20_users_within_60_seconds_and_20_loops() -> None:
    script = (K6 / "imputation.js").read_text()
    for setting in ("'USERS', 20", "'LOOPS', 20", "__ENV.RAMP || '60s'", "'p(99)<2000'", "`count==${USERS * LOOPS}`"):
        assert setting in script


def test_in_the_jmeter_plan_each_element_is_followed_by_its_tree() -> None:
    plan = ET.parse(CHECKOUT / "deployment/jmeter/imputation.jmx").getroot()  # noqa: S314 - as above
    # JMeter pairs an element with the `hashTree` after it; without, what comes next would be hung into the wrong place.
    for tree in plan.iter("hashTree"):
        tags = [child.tag for child in tree]
        assert tags[1::2] == ["hashTree"] * (len(tags) // 2)
        assert "hashTree" not in tags[::2]
    classes = [
        element.get("testclass")
        for element in plan.iter()
        if "guiclass" in element.attrib and "testname" in element.attrib
    ]
    assert {"ThreadGroup", "CSVDataSet", "HTTPSamplerProxy", "ResponseAssertion"} <= set(classes)


def test_the_questions_have_the_columns_that_the_jmeter_plan_reads() -> None:
    plan = ET.parse(CHECKOUT / "deployment/jmeter/imputation.jmx").getroot()  # noqa: S314 - as above
    (columns,) = (element.text for element in plan.iter("stringProp") if element.get("name") == "variableNames")
    written = re.search(r"writerows\(\[\((.+?)\)", (CHECKOUT / "benchmarks/questions_csv.py").read_text())
    assert written
    assert re.findall(r"\w+", written.group(1)) == str(columns).split(",")


def test_the_jmeter_plan_asks_what_the_k6_script_asks() -> None:
    plan = ET.parse(CHECKOUT / "deployment/jmeter/imputation.jmx").getroot()  # noqa: S314 - as above
    body = next(element.text for element in plan.iter("stringProp") if element.get("name") == "Argument.value")
    script = (K6 / "imputation.js").read_text()
    for name, value in json.loads(str(body)).items():
        assert f"{name}:" in script or f" {name}," in script
        if not str(value).startswith(("${", "['${")):
            assert str(value) in script
