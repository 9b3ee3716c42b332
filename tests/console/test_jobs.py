"""Jobs: the list, a job's page, cancelling, running again, trials."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server, wait_for

Visit = Callable[..., Page]
POINTS = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One job at a time, so that others wait."""
    started = Server(tmp_path_factory.mktemp("jobs"), env={"SERVICE_MODEL": "sample", "JOB_CONCURRENCY": "1"})
    yield started
    started.stop()


def train(server: Server, **more: Any) -> str:
    answer = server.post("/sample_model/train", json={**POINTS, "trials": 12, **more})
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["id"]
    return found


def ended(server: Server, job: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = server.get(f"/jobs/{job}").json()
        return found if found["finished"] else None

    return wait_for(look, f"job {job} to end")


@pytest.fixture(scope="module")
def trained(server: Server) -> str:
    job = train(server)
    assert ended(server, job)["state"] == "succeeded"
    return job


def test_a_job_that_is_queued_appears_in_the_list_and_leads_to_its_page(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/jobs")
    expect(page.locator("#live")).to_have_text("Live")
    job = train(server)
    row = page.get_by_role("row").filter(has_text=job)
    expect(row.locator(".badge")).to_have_text("succeeded")
    row.get_by_role("link", name="training · sample").click()
    expect(page.get_by_role("heading", name="training · sample")).to_be_visible()
    ended(server, job)


def test_a_list_that_stays_the_same_is_only_asked_about(visit: Visit, server: Server, trained: str) -> None:
    page = visit(server, "/console/jobs?state=succeeded")
    with page.expect_response(lambda answer: "/jobs?" in answer.url and answer.status == 304):
        expect(page.get_by_role("row").filter(has_text=trained)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=trained)).to_be_visible()
    expect(page.locator("#live")).to_have_text("Live")


def test_the_progress_of_a_job_is_seen_while_it_runs_and_it_can_be_cancelled(visit: Visit, server: Server) -> None:
    job = train(server, trials=1000)
    page = visit(server, f"/console/jobs/{job}")
    expect(page.get_by_role("progressbar", name="Progress of the job")).to_have_attribute(
        "aria-valuenow", re.compile("[1-9]")
    )
    page.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog", name="Cancel this job?")
    expect(dialog).to_contain_text("cannot be run again")
    dialog.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#badge")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Cancel", exact=True)).not_to_be_visible()
    assert ended(server, job)["state"] == "cancelled"


def test_what_a_job_answered_is_shown_as_a_table_and_as_json_and_can_be_kept(
    visit: Visit, server: Server, trained: str
) -> None:
    page = visit(server, f"/console/jobs/{trained}")
    expect(page.get_by_role("tabpanel", name="Result")).to_contain_text("best_params")
    page.get_by_role("tab", name="JSON").click()
    expect(page.get_by_role("region", name="Result as JSON")).to_contain_text('"model": "sample"')
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download").click()
    assert begun.value.suggested_filename == f"{trained}.json"


def test_the_trials_of_a_training_are_drawn_and_listed(visit: Visit, server: Server, trained: str) -> None:
    page = visit(server, f"/console/jobs/{trained}?tab=trials")
    for label in ("best so far", "parameters of each trial", "How strongly"):
        expect(page.get_by_role("img", name=label).locator("canvas").first).to_be_visible()
    expect(page.get_by_role("table", name="Trials").get_by_role("row")).to_have_count(13)
    expect(page.locator(".strengths")).to_contain_text("slope")


def test_a_job_that_failed_is_run_again_from_the_list(visit: Visit, server: Server) -> None:
    # Nobody can fit a line to values of this size: the search has no best one.
    job = train(server, x=[1e308, -1e308], y=[-1e308, 1e308], trials=1)
    before = ended(server, job)
    assert before["state"] in ("failed", "dead")
    page = visit(server, f"/console/jobs?state={before['state']}")
    everyone = page.get_by_role("button", name="Run all dead jobs again")
    expect(everyone).to_be_visible(visible=before["state"] == "dead")
    page.get_by_role("checkbox", name=f"Select job {job}").check()
    expect(page.locator("#selected")).to_have_text("1 job selected")
    page.get_by_role("button", name="Run again").click()
    page.get_by_role("dialog").get_by_role("button", name="Run again").click()
    expect(page.get_by_text("1 job queued again")).to_be_visible()
    wait_for(lambda: len(server.get(f"/jobs/{job}").json()["attempts"]) > len(before["attempts"]), "another attempt")
    ended(server, job)


def test_where_no_job_is_dead_nobody_is_asked_to_run_them_again(visit: Visit, server: Server, trained: str) -> None:
    page = visit(server, "/console/jobs?state=succeeded")
    expect(page.get_by_role("row").filter(has_text=trained)).to_be_visible()
    expect(page.get_by_role("button", name="Run all dead jobs again")).not_to_be_visible()


def test_filters_stand_in_the_address(visit: Visit, server: Server, trained: str) -> None:
    page = visit(server, "/console/jobs")
    expect(page.get_by_role("row").filter(has_text=trained)).to_be_visible()
    page.get_by_label("Kind").select_option("prediction")
    expect(page.get_by_role("heading", name="No job is like that")).to_be_visible()
    assert page.url.endswith("?kind=prediction")
    page.reload()
    expect(page.get_by_label("Kind")).to_have_value("prediction")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("row").filter(has_text=trained)).to_be_visible()


def test_of_hundreds_of_jobs_only_those_near_the_window_are_in_the_page(visit: Visit, server: Server) -> None:
    first = ""
    for count in range(260):
        headers = {"Prefer": "respond-async"}
        answer = server.post("/sample_model/predict", json={"requiredField": str(count)}, headers=headers)
        first = first or answer.json()["id"]
    page = visit(server, "/console/jobs?kind=prediction")
    expect(page.get_by_role("row").nth(20)).to_be_visible()
    page.evaluate(
        "() => new Promise(done => { const step = () => { scrollTo(0, document.body.scrollHeight);"
        " if (document.body.textContent.includes('in all')) done(); else setTimeout(step, 50); }; step(); })"
    )
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_role("row").filter(has_text=first)).to_be_visible()
    expect(page.locator("#count")).to_have_text("260 jobs in all")
    assert page.locator("#jobs tbody tr").count() < 120


def test_an_address_of_no_job_says_so(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/jobs/1k0txxcq7yxy7mkvc7a4rbnjt5k", expected=("status of 404",))
    expect(page.get_by_role("alert")).to_contain_text("no job")


def called(page: Page, module: str, call: str) -> Any:
    """What a pure function of a module gives."""
    found = "document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '')"
    return page.evaluate(f"async () => {{ const m = await import({found} + '{module}'); return m.{call}; }}")


def test_a_look_at_the_newest_rows_keeps_the_older_ones(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/jobs")
    known = "[{id: 'c'}, {id: 'b'}, {id: 'a'}]"
    kept = called(page, "shared/endless.js", f"merged({known}, [{{id: 'd'}}, {{id: 'c'}}], false)")
    assert kept == {"rows": [{"id": name} for name in "dcba"], "isReset": False}
    # A whole page of new ones: what lies between is not known.
    new = called(page, "shared/endless.js", f"merged({known}, [{{id: 'f'}}, {{id: 'e'}}], false)")
    assert new == {"rows": [{"id": "f"}, {"id": "e"}], "isReset": True}


def test_rows_in_the_page_are_those_near_the_window(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/jobs")
    first, behind = called(page, "shared/endless.js", "near(10000, 260000, 860)")
    assert first < 5000 < behind
    assert behind - first < 100
    assert called(page, "shared/endless.js", "near(3, 0, 860)") == [0, 3]


def test_what_matters_is_told_from_ranks(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/jobs")
    trials = (
        "[...'0123'].map((_, n) => ({number: n, state: 'complete', value: n ** 3,"
        " params: {rate: -n, flat: 1, kind: n < 2 ? 'a' : 'b'}}))"
    )
    found = {one["name"]: one["strength"] for one in called(page, "jobs/search.js", f"strengths({trials})")}
    assert found == {"rate": pytest.approx(1), "flat": 0, "kind": pytest.approx((4 / 5) ** 0.5)}
    assert called(page, "jobs/search.js", f"isMinimized({trials}, 27)") is False
    assert called(page, "jobs/search.js", f"bestSoFar({trials}, true)") == [[n, 0] for n in range(4)]


def test_on_a_phone_all_of_a_job_is_seen_without_scrolling_sideways(visit: Visit, server: Server, trained: str) -> None:
    page = visit(server, "/console/jobs?kind=training", phone=True)
    row = page.get_by_role("row").filter(has=page.locator(f"a[href$='{trained}']"))
    row.scroll_into_view_if_needed()
    for cell in row.locator("td").all():
        expect(cell).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_jobs_are_open_to_people_with_disabilities(
    visit: Visit, server: Server, trained: str, phone: bool, dark: bool
) -> None:
    page = visit(server, "/console/jobs", phone=phone, dark=dark)
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0
    page.goto(f"{server.url}/console/jobs/{trained}?tab=trials")
    expect(page.get_by_role("table", name="Trials")).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0
