"""Sentiment on its page: told as one types, and for the rows of a file."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server, wait_for

Visit = Callable[..., Page]
PAGE = "/console/models/sentiment"
BATCH = f"{PAGE}?tab=page-batch"
REVIEWS = """id;review;stars
1;"A warm, funny film; with a wonderful cast.";5
2;Two hours of my life that I will never get back. Dull.;1
3;;3
4;The best thing I have seen this year.;5
"""


@pytest.fixture
def call(visit: Visit, console_server: Server) -> Callable[..., Any]:
    """`call("reading.js", "tableOf", …)`: a function of a panel's module, with the arguments given as JSON."""
    page = visit(console_server, "/console/models")
    panels = {one["name"]: one["panels"] for one in console_server.get("/models").json()}["sentiment"]

    def run(module: str, function: str, *arguments: Any) -> Any:
        address = next(one for one in panels if one.endswith(f"/{module}"))
        return page.evaluate(
            "async ([address, source, given]) => (await import(address))[source](...given)",
            [address, function, list(arguments)],
        )

    return run


def choose(page: Page, name: str, content: str | bytes) -> None:
    body = content.encode() if isinstance(content, str) else content
    page.get_by_label("File with texts").set_input_files({"name": name, "mimeType": "", "buffer": body})


def test_a_text_is_told_while_it_is_written_with_what_each_word_adds(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, PAGE)
    text = page.get_by_label("Text", exact=True)
    text.press_sequentially("I love this wonderful café")
    sure = page.get_by_role("meter", name="Positive")
    expect(sure).to_have_attribute("aria-valuetext", re.compile(r"^9\d\.\d% positive"))
    expect(page.get_by_text(re.compile(r"Answered in .* · version box"))).to_be_visible()
    # As it was written, whatever the model makes of capitals and accents.
    expect(page.locator("mark").last).to_have_text("café")
    text.fill("I hate this awful place")
    expect(sure).to_have_attribute("aria-valuetext", re.compile(r"^\d\.\d% positive"))
    expect(page.get_by_text("Negative", exact=True).first).to_be_visible()


def test_texts_before_are_kept_and_come_back_from_the_cache(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, PAGE)
    text = page.get_by_label("Text", exact=True)
    for said in ("A fine day for a walk", "A dull day at home"):
        text.fill(said)
        expect(page.get_by_text(re.compile("^Answered in"))).to_be_visible()
        text.press("Enter")
    before = page.get_by_role("list", name="History")
    expect(before.get_by_role("button")).to_have_text(["A dull day at home", "A fine day for a walk"])
    before.get_by_role("button", name="A fine day for a walk").click()
    expect(text).to_have_value("A fine day for a walk")
    expect(page.get_by_text(re.compile("from the cache"))).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(before).not_to_be_attached()


def test_the_last_text_counts_when_an_earlier_answer_comes_late(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, PAGE)
    held: list[Any] = []
    page.route(
        "**/sentiment/predict*",
        lambda route: held.append(route) if "awful" in (route.request.post_data or "") else route.continue_(),
    )
    text = page.get_by_label("Text", exact=True)
    with page.expect_request("**/sentiment/predict"):
        text.fill("an awful bore")
    text.fill("a wonderful surprise")
    sure = page.get_by_role("meter", name="Positive")
    expect(sure).to_have_attribute("aria-valuetext", re.compile(r"^9\d\.\d% positive"))
    assert held
    expect(sure).to_have_attribute("aria-valuetext", re.compile(r"^9\d\.\d% positive"))


def test_a_file_is_told_row_by_row_and_kept_as_csv(visit: Visit, console_server: Server, tmp_path: Path) -> None:
    page = visit(console_server, BATCH)
    choose(page, "reviews.csv", REVIEWS)
    expect(page.get_by_label("Column with the texts")).to_have_value("1")
    expect(page.get_by_role("list", name="First texts").get_by_role("listitem").first).to_contain_text("; with a")
    page.get_by_role("button", name="Classify 3 texts").click()
    expect(page.get_by_role("button", name="All are classified")).to_be_visible()
    show = page.get_by_role("group", name="Show")
    for name in ("All 4", "Positive 2", "Negative 1", "Problems 1"):
        expect(show.get_by_role("button", name=name)).to_be_visible()
    show.get_by_role("button", name="Negative").click()
    table = page.get_by_role("table", name="Texts and what was told of them")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table).to_contain_text("never get back")
    show.get_by_role("button", name="All").click()
    page.get_by_label("Search").fill("best thing")
    expect(table.get_by_role("row")).to_have_count(2)
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    assert begun.value.suggested_filename == "reviews-sentiment.csv"
    begun.value.save_as(tmp_path / "told.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "told.csv").read_text())))
    assert [row["sentiment"] for row in rows] == ["POSITIVE", "NEGATIVE", "", "POSITIVE"]
    assert rows[2]["sentiment_problem"] == "no text"
    assert [row["stars"] for row in rows] == ["5", "1", "3", "5"]
    (score,) = console_server.post("/sentiment/predict", json={"text": [rows[3]["review"]]}).json()["predictions"]
    assert float(rows[3]["sentiment_score"]) == pytest.approx(score[0]["score"], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("book.xlsx", b"PK\x03\x04rest", "Save the sheet as CSV"),
        ("picture.png", b"\x89PNG\x00\x00", "This is no text"),
        ("empty.csv", b"\n\n  \n", "There is nothing in it"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_what_to_choose_instead(
    visit: Visit, console_server: Server, name: str, content: bytes, told: str
) -> None:
    page = visit(console_server, BATCH)
    choose(page, name, content)
    alert = page.get_by_role("alert").filter(has_text=f"{name} is not taken")
    expect(alert).to_contain_text(told)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that takes short texts alone, and a request in five seconds once its burst is used up."""
    limits = {
        "MAX_TEXT_CHARS": "60",
        "RATE_LIMIT_PER_S": "0.2",
        "RATE_LIMIT_BURST": "120",
        "SERVICE_MODEL": "sentiment",
    }
    server = Server(tmp_path_factory.mktemp("strict"), env=limits)
    yield server
    server.stop()


def test_a_text_that_is_refused_is_named_and_does_not_stop_the_others(visit: Visit, strict: Server) -> None:
    page = visit(strict, BATCH, expected=("status of 413",))
    lines = ["A wonderful film.", "An awful film.", "So very long. " * 20, "A fine cast.", "A dull plot."]
    choose(page, "lines.txt", "\n".join(lines))
    page.get_by_role("button", name="Classify 5 texts").click()
    expect(page.get_by_role("button", name="All are classified")).to_be_visible()
    show = page.get_by_role("group", name="Show")
    expect(show.get_by_role("button", name="Problems 1")).to_be_visible()
    show.get_by_role("button", name="Problems").click()
    table = page.get_by_role("table", name="Texts and what was told of them")
    expect(table).to_contain_text("it has 280 characters; send at most 60")
    page.get_by_role("tab", name="Type and see").click()
    page.get_by_label("Text", exact=True).fill(lines[2])
    expect(page.get_by_role("alert").filter(has_text="Shorten it")).to_be_visible()


def test_a_server_that_asks_to_wait_is_waited_for(visit: Visit, strict: Server) -> None:
    page = visit(strict, BATCH, expected=("status of 429",))
    choose(page, "lines.txt", "A wonderful film.\nAn awful film.")
    start = page.get_by_role("button", name="Classify 2 texts")
    expect(start).to_be_visible()

    def is_used_up() -> bool:
        answer = strict.get("/models")
        return answer.status_code == 429 and int(answer.headers["Retry-After"]) == 5

    # Just now: so that what the page asks within the next seconds is refused.
    wait_for(is_used_up, "the limit")
    with page.expect_response(lambda answer: answer.status == 429):
        start.click()
    expect(page.get_by_text(re.compile("Going on in"))).to_be_visible()
    expect(page.get_by_role("button", name="All are classified")).to_be_visible()


def test_what_is_told_stays_when_it_is_stopped_and_the_rest_can_follow(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, BATCH)
    choose(page, "lines.txt", "\n".join(f"Film number {number} is a joy." for number in range(130)))
    seen: list[Any] = []

    def hold_the_second(route: Any) -> None:
        seen.append(route)
        if len(seen) == 1:
            route.continue_()

    page.route("**/sentiment/predict", hold_the_second)
    page.get_by_role("button", name="Classify 130 texts").click()
    expect(page.get_by_role("group", name="Show").get_by_role("button", name="All 64")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    page.unroute_all()
    page.get_by_role("button", name="Go on with 66 texts").click()
    expect(page.get_by_role("button", name="All are classified")).to_be_visible()
    expect(page.get_by_role("group", name="Show").get_by_role("button", name="All 130")).to_be_visible()


@pytest.mark.parametrize(
    ("text", "tokens", "parts"),
    [
        ("Très bon!", ["tres", "bon", "!"], ["Très", " ", "bon", "!"]),
        ("It\u2019s  fine \U0001f600.", ["it", "'", "s", "fine", "\U0001f600", "."], None),
        ("do n't", ["don", "'", "t"], "as the model spells it"),
    ],
)
def test_words_are_found_again_in_the_text_as_it_was_written(
    call: Callable[..., Any], text: str, tokens: list[str], parts: Any
) -> None:
    found = call("type.js", "partsOf", text, [{"token": one, "weight": 1.0} for one in tokens])
    if parts == "as the model spells it":
        assert found is None
        return
    said = [one["text"] for one in found]
    assert "".join(said) == text
    assert parts is None or said == parts
    assert [one["text"] for one in found if one["weight"] is not None] == [one for one in said if one.strip()]


def test_the_column_of_texts_is_the_one_called_so_or_the_one_with_the_longest(call: Callable[..., Any]) -> None:
    named = call("reading.js", "tableOf", [["id", "Comment"], ["a long text in the wrong place", "good"]], True)
    assert (named["columns"], named["column"]) == (["id", "Comment"], 1)
    nameless = call("reading.js", "tableOf", [["7", "a rather long text", "x"], ["8", "another one"]], False)
    assert (nameless["columns"], nameless["column"]) == (["column 1", "column 2", "column 3"], 1)
    assert len(nameless["rows"]) == 2


def test_requests_hold_as_many_texts_as_the_api_takes_and_none_that_is_empty(call: Callable[..., Any]) -> None:
    batches = call("sending.js", "batchesOf", ["a"] * 70 + [" ", "b" * 150_000, "c" * 150_000])
    assert [len(batch) for batch in batches] == [64, 7, 1]
    assert [at for batch in batches for at in batch] == [*range(70), 71, 72]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_stands_in_the_way_of_people_with_disabilities(
    visit: Visit, console_server: Server, dark: bool
) -> None:
    page = visit(console_server, PAGE, phone=not dark, dark=dark)
    page.get_by_role("button", name="This is not bad at all.").click()
    expect(page.locator("mark").first).to_be_visible()
    page.get_by_label("Text", exact=True).press("Enter")
    assert violations(page) == []
    assert overflow_px(page) == 0
    page.get_by_role("tab", name="Many texts").click()
    page.get_by_role("button", name="Take an example").click()
    page.get_by_role("button", name="Classify 8 texts").click()
    expect(page.get_by_role("button", name="All are classified")).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0
