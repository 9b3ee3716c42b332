"""The entry point in this interpreter, with whichever `azure-functions` it has."""

import asyncio
import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import azure.functions as func
import pytest

from common.functions import AsgiApp, Bridge, Message, Receive, Send
from common.settings import get_settings
from function_app import METHODS
from tests.conformance.environment import CHECKOUT
from tests.support.plugins import make_app

Load = Callable[[str], func.FunctionApp]
CONTEXT = cast(func.Context, SimpleNamespace(invocation_id="1"))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Runs function_app.py anew with the given `ATOLL_ROLES`; gives its app."""

    def run(roles: str) -> func.FunctionApp:
        monkeypatch.setenv("ATOLL_ROLES", roles)
        get_settings.cache_clear()
        return cast(func.FunctionApp, runpy.run_path(str(CHECKOUT / "function_app.py"))["app"])

    yield run
    get_settings.cache_clear()


def triggers(app: func.FunctionApp) -> dict[str, dict[str, Any]]:
    """The trigger of each function, by the function's name."""
    # The library lets nobody ask twice: it would take each name for one that is there already.
    found: dict[str, Any] = {
        str(function.get_function_name()): function.get_trigger() for function in app.get_functions()
    }
    return {name: trigger.get_dict_repr() for name, trigger in found.items()}


def get(bridge: Bridge, url: str = "http://host/") -> func.HttpResponse:
    return asyncio.run(bridge.handle(func.HttpRequest("GET", url, body=b""), CONTEXT))


def app_that(answer: Callable[[Message, Send], Any], starts: list[bool] | None = None) -> AsgiApp:
    """An ASGI app that answers requests with `answer`; each attempt to start takes its outcome from `starts`."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            # Gives the other first requests time to come in.
            await asyncio.sleep(0.01)
            succeeds = starts.pop(0) if starts is not None else True
            await send({"type": f"lifespan.startup.{'complete' if succeeds else 'failed'}"})
            await receive()
        else:
            await answer(scope, send)

    return app


async def answer_ok(scope: Message, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def test_http_is_one_anonymous_function_for_every_path_and_method(load: Load) -> None:
    ((name, trigger),) = triggers(load("http")).items()
    assert name == "http"
    assert trigger["authLevel"] == func.AuthLevel.ANONYMOUS
    assert trigger["route"] == "/{*route}"
    assert sorted(map(str, trigger["methods"])) == sorted(METHODS)


def test_a_deployment_without_the_http_role_has_no_http_function(load: Load) -> None:
    # The library warns, in its log, that a level of authorisation is of no use without an HTTP function.
    assert set(triggers(load("queues,timers"))) == {"tick"}


@pytest.mark.parametrize("variable", ["AzureWebJobsStorage", "AzureWebJobsStorage__queueServiceUri"])
def test_queue_functions_read_the_storage_account_however_it_is_reached(
    load: Load, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "https://account.queue.core.windows.net")
    found = triggers(load("queues"))
    assert found
    for trigger in found.values():
        assert (trigger["type"], trigger["connection"]) == ("queueTrigger", "AzureWebJobsStorage")


def test_queue_functions_are_named_after_models_and_classes_of_workers(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", "UseDevelopmentStorage=true")
    monkeypatch.setenv("SERVICE_MODEL", "sample")
    monkeypatch.setenv("JOB_WORKERS", "cpu,train")
    queues = [f"{kind}-{worker}-sample" for kind in ("prediction", "training") for worker in ("cpu", "train")]
    queues.append("submission-cpu-sample")
    expected = {*queues, *(f"{queue}-poison" for queue in queues)}
    found = triggers(load("queues"))
    assert {name: trigger["queueName"] for name, trigger in found.items()} == {name: name for name in expected}


def test_the_worker_takes_the_entry_point_for_a_plain_function_app() -> None:
    # It searches the text of the file to choose between its runtimes; either would load the one for another model.
    text = (CHECKOUT / "function_app.py").read_text()
    assert "FastAPI()" not in text
    assert "from fastapi import" not in text


def test_first_requests_that_come_together_start_the_app_once() -> None:
    starts = [True] * 5
    bridge = Bridge(app_that(answer_ok, starts))

    async def five() -> list[func.HttpResponse]:
        requests = (func.HttpRequest("GET", "http://host/", body=b"") for _ in range(5))
        return await asyncio.gather(*(bridge.handle(request, CONTEXT) for request in requests))

    assert [answer.status_code for answer in asyncio.run(five())] == [200] * 5
    assert len(starts) == 4


def test_a_start_that_failed_is_tried_again_by_the_next_request() -> None:
    bridge = Bridge(app_that(answer_ok, [False, True]))

    async def two() -> func.HttpResponse:
        request = func.HttpRequest("GET", "http://host/", body=b"")
        with pytest.raises(RuntimeError, match="could not start"):
            await bridge.handle(request, CONTEXT)
        return await bridge.handle(request, CONTEXT)

    assert asyncio.run(two()).status_code == 200


def test_an_answer_may_leave_out_headers_and_body() -> None:
    async def bare(scope: Message, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    answer = get(Bridge(app_that(bare)))
    assert (answer.status_code, answer.get_body()) == (204, b"")


def test_repeated_headers_become_one_line_and_cookies_stay_apart() -> None:
    async def repeat(scope: Message, send: Send) -> None:
        pairs = [(b"Vary", b"Origin"), (b"vary", b"Accept"), (b"x-name", "né".encode("latin-1"))]
        cookies = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 200, "headers": pairs + cookies})
        await send({"type": "http.response.body"})

    headers = get(Bridge(app_that(repeat))).headers
    assert headers.get_all("vary") == ["Origin, Accept"]
    assert headers["x-name"] == "né"
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("path", "seen"), [("/a%2Fb", "/a/b"), ("/%C3%A9", "/é"), ("/100%25", "/100%"), ("/%FF", "/\ufffd"), ("/%", "/%")]
)
def test_any_path_is_decoded_once(path: str, seen: str) -> None:
    assert get(Bridge(app_that(answer_ok)), f"http://host{path}").get_body().decode() == seen


def test_the_query_arrives_as_it_was_sent() -> None:
    async def show(scope: Message, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": json.dumps(scope["query_string"].decode()).encode()})

    answer = get(Bridge(app_that(show)), "http://host/%20?a=1%2B1&a=%C3%A9&b=")
    assert json.loads(answer.get_body()) == "a=1%2B1&a=%C3%A9&b="


def test_answers_have_the_security_headers_and_name_no_software(tmp_path: Path) -> None:
    headers = get(Bridge(cast("AsgiApp", make_app(tmp_path))), "https://atoll.example/health/live").headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["cache-control"] == "no-store"
    assert not {"server", "x-powered-by"} & {name.lower() for name in dict(headers.items())}
