"""The pure functions of the console's modules, in the browser that runs them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.servers import Server

Visit = Callable[..., Page]
Run = Callable[..., Any]

EXPOSITION = """# HELP atoll_http_requests_total Requests
atoll_http_requests_total{method="POST",route="/sample_model/predict",status="200"} 98.0
atoll_http_requests_total{method="POST",route="/sample_model/predict",status="500"} 2.0
atoll_http_requests_total{method="GET",route="/other",status="200"} 7.0
atoll_http_request_seconds_bucket{le="0.01",method="POST",route="/sample_model/predict"} 50.0
atoll_http_request_seconds_bucket{le="0.1",method="POST",route="/sample_model/predict"} 100.0
atoll_http_request_seconds_bucket{le="+Inf",method="POST",route="/sample_model/predict"} 100.0
odd{text="a \\"quote\\", a } and a \\n"} 1e-3
"""


@pytest.fixture
def run(visit: Visit, console_server: Server) -> Run:
    """`run("format.js", "(m) => m.bytes(1500)")`: a module's functions, with the arguments given as JSON."""
    page = visit(console_server, "/console/sign-in")

    def call(module: str, function: str, *arguments: Any) -> Any:
        return page.evaluate(
            """async ([module, source, given]) => {
              const base = document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '');
              const found = await import(base + module);
              return found[source](...given);
            }""",
            [module, function, list(arguments)],
        )

    return call


@pytest.mark.parametrize(
    ("function", "given", "expected"),
    [
        ("bytes", 0, "0 B"),
        ("bytes", 999.6, "1 kB"),
        ("bytes", 1_500_000, "1.5 MB"),
        ("bytes", None, "–"),  # noqa: RUF001 - the sign for nothing
        ("duration", 0.0000042, "4 µs"),
        ("duration", 0.0421, "42 ms"),
        ("duration", 3.44, "3.4 s"),
        ("duration", 320, "5 min 20 s"),
        ("duration", 7500, "2 h 5 min"),
        ("duration", 100_000, "1 d 3 h"),
        ("integer", 12_345, "12,345"),
        ("integer", 1_234_567, "1.2M"),
        ("percent", 0.1234, "12.3%"),
        ("percent", 1, "100%"),
        ("rate", 0.181, "0.18"),
        ("rate", 0, "0"),
        ("number", 0.000012345, "1.234e-5"),
        ("number", 123456.789, "123,457"),
    ],
)
def test_figures_are_written_for_people(run: Run, function: str, given: object, expected: str) -> None:
    assert run("format.js", function, given) == expected


def test_a_time_is_told_from_now(run: Run) -> None:
    now_ms = 1_800_000_000_000
    assert run("format.js", "ago", "2027-01-15T07:55:00Z", now_ms) == "5 minutes ago"
    assert run("format.js", "ago", None, now_ms) == "–"  # noqa: RUF001 - the sign for nothing


def evaluated(visit: Visit, server: Server, source: str, *given: Any) -> Any:
    """What an expression of the modules `metrics` and `figures` gives."""
    page = visit(server, "/console/sign-in")
    return page.evaluate(
        """async ([source, given]) => {
          const base = document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '');
          const metrics = await import(base + 'metrics.js');
          const figures = await import(base + 'overview/figures.js');
          const tools = { ...metrics, ...figures };
          const model = { name: 'sample', routes: ['POST /sample_model/predict'], old_prefixes: [] };
          const look = (atMs, text) => ({ atMs, samples: tools.parse(text) });
          const owns = tools.ownsRoute(model);
          const cases = {
            odd: () => tools.parse(given[0]).get('odd')[0],
            median: () => tools.quantile(tools.buckets(tools.parse(given[0]), 'atoll_http_request_seconds', owns), 0.5),
            tail: () => tools.quantile(tools.buckets(tools.parse(given[0]), 'atoll_http_request_seconds', owns), 0.99),
            nothing: () => tools.quantile(new Map(), 0.5),
            start: () => tools.figures([look(0, given[0])], owns, 'sample'),
            later: () => tools.figures([look(0, given[0]), look(5000, given[1])], owns, 'sample'),
          };
          return cases[source]();
        }""",
        [source, list(given)],
    )


def test_the_text_of_the_metrics_is_read_whatever_stands_in_labels(visit: Visit, console_server: Server) -> None:
    found = evaluated(visit, console_server, "odd", EXPOSITION)
    assert found == {"labels": {"text": 'a "quote", a } and a \n'}, "value": 0.001}


def test_quantiles_are_those_that_prometheus_tells(visit: Visit, console_server: Server) -> None:
    assert evaluated(visit, console_server, "median", EXPOSITION) == pytest.approx(0.01)
    assert evaluated(visit, console_server, "tail", EXPOSITION) == pytest.approx(0.0982)
    assert evaluated(visit, console_server, "nothing") is None


def test_at_first_figures_are_those_since_the_start(visit: Visit, console_server: Server) -> None:
    found = evaluated(visit, console_server, "start", EXPOSITION)
    assert (found["rate"], found["requests"], found["errors"], found["isRecent"]) == (None, 100, 2, False)


def test_later_they_are_those_of_the_time_looked_at(visit: Visit, console_server: Server) -> None:
    later = (
        EXPOSITION.replace(" 98.0", " 118.0")
        .replace(
            'le="0.1",method="POST",route="/sample_model/predict"} 100',
            ('le="0.1",method="POST",route="/sample_model/predict"} 120'),
        )
        .replace(
            '+Inf",method="POST",route="/sample_model/predict"} 100',
            '+Inf",method="POST",route="/sample_model/predict"} 120',
        )
    )
    found = evaluated(visit, console_server, "later", EXPOSITION, later)
    assert (found["rate"], found["requests"], found["errors"], found["isRecent"]) == (4, 20, 0, True)
    assert 0.01 < found["p50"] <= 0.1


@pytest.mark.parametrize(
    ("failures", "retry_after_s", "expected_ms"),
    [(0, None, 5000), (2, None, 20_000), (9, None, 60_000), (0, 30, 30_000)],
)
def test_asking_again_waits_longer_after_each_failure_and_as_long_as_the_server_asks(
    run: Run, failures: int, retry_after_s: float | None, expected_ms: int
) -> None:
    assert run("poll.js", "delayMs", 5000, failures, retry_after_s) == expected_ms


@pytest.mark.parametrize(("failures", "expected_ms"), [(0, 5000), (1, 10_000), (9, 10_000)])
def test_a_server_that_is_down_is_looked_for_every_ten_seconds(run: Run, failures: int, expected_ms: int) -> None:
    assert run("poll.js", "delayMs", 5000, failures, None, True) == expected_ms


def test_rows_without_a_value_come_last_in_either_order(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/console/sign-in")
    found = page.evaluate(
        """async () => {
          const base = document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '');
          const { sorted } = await import(base + 'table.js');
          const rows = [{ v: 2 }, { v: null }, { v: 10 }];
          return [false, true].map((down) => sorted(rows, (row) => row.v, down).map((row) => row.v));
        }"""
    )
    assert found == [[2, 10, None], [10, 2, None]]


def test_a_text_is_only_ever_a_text(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/console/sign-in")
    found = page.evaluate(
        """async () => {
          const base = document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '');
          const { h } = await import(base + 'dom.js');
          const element = h('p', { title: '"><img src=x onerror=alert(1)>' }, '<img src=x onerror=alert(1)>');
          document.body.append(element);
          return [element.children.length, element.textContent];
        }"""
    )
    assert found == [0, "<img src=x onerror=alert(1)>"]


def test_a_message_is_shown_above_a_dialog_and_an_error_stays_until_it_is_closed(
    visit: Visit, console_server: Server
) -> None:
    page = visit(console_server)
    page.evaluate(
        """async () => {
          const base = document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '');
          const { ask } = await import(base + 'dialog.js');
          const { toast } = await import(base + 'toast.js');
          window.answer = ask({ title: 'Delete it?', text: 'It is gone then.', confirm: 'Delete', type: 'iris' });
          toast('The database is away', { kind: 'bad' });
        }"""
    )
    message = page.get_by_text("The database is away")
    # In the browser's top layer, as the dialog is, and later.
    assert page.evaluate("document.getElementById('toasts').matches(':popover-open')")
    expect(message).to_be_visible()
    page.get_by_role("dialog").get_by_label("Type iris").fill("iris")
    page.get_by_role("button", name="Delete").click()
    assert page.evaluate("window.answer") is True
    page.get_by_role("button", name="Close").click()
    expect(message).not_to_be_visible()


@pytest.mark.parametrize(
    ("reason", "code", "told"),
    [
        ("NonZeroExitCode", 3, "Exit code 3"),
        ("OutOfMemory", None, "Out of memory"),
        ("the queue is full", None, "the queue is full"),
        (None, 2, "Exit code 2"),
        (None, None, ""),
    ],
)
def test_why_a_task_ended_is_told_in_words(run: Run, reason: str | None, code: int | None, told: str) -> None:
    assert run("tasks/why.js", "why", {"reason": reason, "exit_code": code}) == told


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"minimum": 0, "below": 1}),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 9}, {"above": 0, "maximum": 9}),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 8}, {"minimum": 1, "maximum": 7}),
        ({"type": "integer", "minimum": 0}, {"minimum": 0}),
        ({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]}, {"above": 0}),
    ],
)
def test_bounds_of_a_field_are_those_of_its_schema(run: Run, schema: object, expected: dict[str, int]) -> None:
    body = {"content": {"application/json": {"schema": {"properties": {"x": schema}}}}}
    document = {"paths": {"/a/predict": {"post": {"requestBody": body}}}}
    (field,) = run("model/spec.js", "routeOf", document, "/a/predict", [])["fields"]
    bounds = ("minimum", "maximum", "above", "below")
    assert {name: field[name] for name in bounds if field[name] is not None} == expected
