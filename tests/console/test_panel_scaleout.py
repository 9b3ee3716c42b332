"""The panels of scale-out: what a run would take, and runs as they go on; with some of the runs that Atoll carries."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Locator, Page, expect

from models.scaleout.rows import told_of
from models.scaleout.traces import carried
from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server

Visit = Callable[..., Page]
PAGE = "/console/models/scaleout"
RUNS = f"{PAGE}?tab=page-applications"
ONLINE = "/prediction/online_scale_out_prediction"


def start(folder: Path) -> Server:
    return Server(folder, env={"SERVICE_MODEL": "scaleout"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that knows runs of two inputs of one algorithm, and one of another."""
    started = start(tmp_path_factory.mktemp("scaleout"))
    gbt = [run for run in carried() if run.context.algorithm == "gbt"]
    runs = [run for run in gbt if run.context.data_size_mb == 24][:16]
    runs += [run for run in gbt if run.context.data_size_mb == 9.6][:8]
    runs += [run for run in carried() if run.context.algorithm == "mpc"][:1]
    bring(started, *map(told, runs))
    # The first answer brings NumPy and SciPy with it: a page shall not wait for that here.
    assert started.post("/scaleout/predict", json={"algorithm": "gbt"}).status_code == 200
    yield started
    started.stop()


def told(run: Any) -> dict[str, Any]:
    application, jobs = told_of(run)
    return {**application, "jobs": jobs}


def bring(server: Server, *runs: Mapping[str, Any]) -> None:
    answer = server.post("/scaleout/applications", json={"applications": runs})
    assert answer.status_code == 200, answer.text


def under_way(server: Server, name: str, jobs: int) -> None:
    """A carried run, told again as one that goes on now, of which so many jobs have ended; a plan is asked for."""
    whole = told(next(run for run in carried() if run.context.algorithm == "gbt" and run.context.data_size_mb == 24))
    later = time.time() - whole["start_s"] - 20
    known = {**whole, "execution_id": name, "application_id": "", "start_s": whole["start_s"] + later, "target_s": 40.0}
    del known["end_s"], known["end_scale_out"]
    known["jobs"] = [moved(job, later) for job in whole["jobs"][:jobs]]
    bring(server, known)
    last = known["jobs"][-1]["job_id"]
    event = {
        "application_execution_id": name,
        "update_event": "JOB_END",
        "job_id": last,
        "predict": True,
        "updates": {},
    }
    assert server.post(ONLINE, json=event).status_code == 200


def moved(told: Mapping[str, Any], by_s: float) -> dict[str, Any]:
    """A job with its stages at another time."""
    at = {name: told[name] + by_s for name in ("start_s", "end_s") if told.get(name) is not None}
    stages = {number: moved(stage, by_s) for number, stage in told.get("stages", {}).items()}
    return {**told, **at, **({"stages": stages} if stages else {})}


def question(page: Page) -> Locator:
    """The form that is seen; that of the tab beside has the same labels."""
    return page.get_by_role("form", name="Question")


def cell(page: Page, row: int, title: str) -> str:
    table = page.get_by_role("table", name="Run times by number of executors")
    titles = table.get_by_role("columnheader").all_inner_texts()
    return table.get_by_role("row").nth(row).locator("td, th").nth(titles.index(title)).inner_text()


def test_without_any_run_it_says_how_to_load_the_demonstration_and_shows_what_comes(
    visit: Visit, tmp_path: Path
) -> None:
    empty = start(tmp_path)
    try:
        page = visit(empty, PAGE)
        expect(page.get_by_role("heading", name="No runs are known yet")).to_be_visible()
        expect(page.get_by_text("atoll scaleout demo").first).to_be_visible()
        assert violations(page) == []
        page.get_by_role("tab", name="Runs").click()
        expect(page.get_by_role("heading", name="No run is known yet")).to_be_visible()
        bring(empty, *(told(run) for run in carried()[:1]))
        expect(page.get_by_role("button", name=carried()[0].execution_id)).to_be_visible()
        page.get_by_role("tab", name="What if").click()
        expect(question(page).get_by_label("Algorithm")).to_have_value(carried()[0].context.algorithm)
    finally:
        empty.stop()


def test_the_curve_answers_what_was_recorded_and_follows_the_question(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    page = visit(server, PAGE)
    question(page).get_by_label("Algorithm").select_option("gbt")
    question(page).get_by_label("Input, as it was recorded").select_option(index=1)
    size = question(page).get_by_label("Data size, MB").input_value()
    answer = page.get_by_role("region", name="What it would take")
    for picture in ("Run time by number of executors", "Cost by number of executors"):
        expect(page.get_by_role("img", name=re.compile(f"^{picture}")).locator("canvas").first).to_be_visible()
    told = r"Answered by the model gaussian-process, which knows 24 runs, [\d.]+% off on average"
    expect(answer).to_contain_text(re.compile(told))
    question(page).get_by_label("Target, seconds").fill("11")
    question(page).get_by_label("Price of an executor-hour").fill("2.4")
    expect(answer).to_contain_text("within 11 s")
    body = json.loads(unquote(page.url.split("#ask=")[1]))["body"]
    assert (body["data_size_mb"], body["target_s"]) == (float(size), 11)
    found = server.post("/scaleout/predict", json=body).json()
    point = found["curve"][0]
    expect(answer).to_contain_text(f"Executors to take{found['recommendation']['scale_out']}of ")
    assert cell(page, 1, "In time") == f"{int(100 * point['probability'])}%"
    assert float(cell(page, 1, "Price")) == pytest.approx(point["executor_minutes"] / 60 * 2.4, rel=0.01)
    assert violations(page) == []
    with page.expect_download() as begun:
        answer.get_by_role("button", name="CSV").click()
    begun.value.save_as(tmp_path / "curve.csv")
    lines = (tmp_path / "curve.csv").read_text().splitlines()
    assert lines[0].split(",")[-1] == "price"
    assert [line.split(",")[0] for line in lines[1:]] == [str(one["scale_out"]) for one in found["curve"]]
    with page.expect_download() as drawn:
        answer.get_by_role("button", name="PNG").first.click()
    assert drawn.value.suggested_filename == "run-time-gbt.png"
    # The same from the link, in another tab.
    other = visit(server, page.url.removeprefix(server.url))
    expect(question(other).get_by_label("Price of an executor-hour")).to_have_value("2.4")
    expect(other.get_by_role("region", name="What it would take")).to_contain_text("within 11 s")


def test_what_cannot_be_asked_is_said_at_its_field(visit: Visit, server: Server) -> None:
    page = visit(server, PAGE, expected=("status of 422",))
    most = question(page).get_by_label("Most executors")
    most.fill("many")
    expect(most).to_have_accessible_description(re.compile("“many” is no number"))
    most.fill("20000")
    expect(most).to_have_accessible_description(re.compile("less than or equal to 10000"))
    question(page).get_by_label("Fewest executors").fill("9")
    most.fill("3")
    expect(question(page).get_by_role("alert")).to_contain_text("swap them")


def test_the_answer_of_the_form_has_the_curve_too(visit: Visit, server: Server) -> None:
    body = {"algorithm": "gbt", "data_size_mb": 24, "max_scale_out": 4}
    page = visit(server, f"{PAGE}#in={quote(json.dumps({'body': body}))}")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("tab", name="Curve")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("img", name=re.compile("^Run time by number")).locator("canvas").first).to_be_visible()


def test_a_run_under_way_shows_what_ended_what_is_to_come_and_each_decision_as_it_goes_on(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    under_way(server, "live", 6)
    page = visit(server, RUNS)
    run = page.get_by_role("region", name="The run that is chosen")
    expect(run.get_by_role("heading", name="gbt: live")).to_be_visible()
    expect(run).to_contain_text("running")
    expect(run).to_contain_text("6 jobs")
    expect(run).to_contain_text(re.compile(r"Still takes\s*\d"))
    for picture in ("Jobs and stages over time", "Executors over time"):
        expect(page.get_by_role("img", name=re.compile(f"^{picture}")).locator("canvas").first).to_be_visible()
    decisions = page.get_by_role("table", name="What was decided after each job")
    expect(decisions.get_by_role("row")).to_have_count(2)
    shown = server.get("/scaleout/applications/live").json()
    expect(decisions).to_contain_text(shown["decisions"][0]["why"])
    page.get_by_text("Jobs as a table").click()
    predicted = page.get_by_role("table", name="Jobs of the run").get_by_role("row").filter(has_text="predicted")
    expect(predicted).to_have_count(len(shown["plan"]["runtimes_s"]))
    assert violations(page) == []
    # By itself, as the next job ends.
    under_way(server, "live", 7)
    expect(run).to_contain_text("7 jobs")
    expect(decisions.get_by_role("row")).to_have_count(3)
    with page.expect_download() as begun:
        run.get_by_role("button", name="CSV").click()
    begun.value.save_as(tmp_path / "run.csv")
    lines = (tmp_path / "run.csv").read_text().splitlines()
    assert sum(line.split(",")[1] != "" for line in lines[1:]) >= 7


def test_one_that_has_ended_can_be_looked_at_and_is_asked_for_once(visit: Visit, server: Server) -> None:
    page = visit(server, RUNS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    older = page.get_by_role("button", name="Older ones")
    older.click()
    expect(page.get_by_role("table", name=re.compile("^Runs")).get_by_role("row").nth(20)).to_be_visible()
    name = server.get("/scaleout/applications?limit=20").json()["applications"][-1]["execution_id"]
    asked.clear()
    page.get_by_role("button", name=name, exact=True).click()
    run = page.get_by_role("region", name="The run that is chosen")
    expect(run).to_contain_text("ended")
    expect(run).to_contain_text("Nothing was decided")
    assert f"run={name}" in page.url
    with page.expect_response(lambda response: "under_way=true" in response.url and response.status == 304):
        pass
    assert sum(url.endswith(f"/scaleout/applications/{name}") for url in asked) == 1


@pytest.mark.parametrize("path", [PAGE, RUNS], ids=["what-if", "runs"])
def test_it_fits_a_phone_in_the_dark(visit: Visit, server: Server, path: str) -> None:
    page = visit(server, path, phone=True, dark=True)
    expect(page.locator("canvas").first).to_be_visible()
    assert overflow_px(page) == 0
    assert violations(page) == []
