"""Both clients, against a real server."""

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from common.client import (
    AsyncClient,
    AsyncJob,
    AtollClientError,
    Client,
    Job,
    JobUnsuccessful,
    JobView,
    StillRunning,
    Unreachable,
)
from common.client.registry import AsyncRegistryCalls, RegistryCalls
from common.client.retry import Policy
from tests.support.servers import Server, free_port, run_python

BODY = {"requiredField": "Ada"}
HELLO = {"resp1": "Hello Ada"}


def test_models_params_and_data_sets_are_listed(client: Client) -> None:
    assert {model["name"] for model in client.models()} == {"sample", "slow"}
    assert {model["model"] for model in client.params()} == {"sample", "slow"}
    assert client.datasets() == []


def test_a_prediction_is_what_the_model_answers(client: Client) -> None:
    assert client.predict("sample", BODY) == HELLO
    assert client.predict("/sample_model/predict", b'{"requiredField": "Ada"}') == HELLO


def test_arrays_stand_in_bodies(client: Client) -> None:
    with pytest.raises(AtollClientError) as caught:
        client.predict("sample", {"requiredField": np.arange(2)})
    assert caught.value.status == 422
    assert caught.value.errors[0]["field"] == "body.requiredField"


def test_a_refusal_names_the_field_and_the_request(client: Client) -> None:
    with pytest.raises(AtollClientError, match="requiredField") as caught:
        client.predict("sample", {})
    assert caught.value.problem["type"] == "urn:atoll:problem:invalid"
    assert caught.value.request_id


def test_a_queued_prediction_answers_what_the_direct_one_does(client: Client) -> None:
    job = client.predict("sample", BODY, queued=True)
    assert job.result() == HELLO
    assert (job.kind, job.model, job.state, job.progress) == ("prediction", "sample", "succeeded", 1.0)
    assert client.job(job.id).data["path"] == "/sample_model/predict"


def test_a_prediction_queued_unasked_is_waited_for(client: Client) -> None:
    assert client.predict("slow", {"takes_s": 10_000}) == {"found": ""}


def test_the_same_key_is_the_same_job(client: Client) -> None:
    first, second = (client.predict("sample", BODY, queued=True, idempotency_key="client-twin") for _ in range(2))
    assert first.id == second.id


def test_control_of_a_training_reaches_the_server(client: Client) -> None:
    job = client.train("slow", {}, parallel_trials=3).wait()
    assert job.data["path"].endswith("parallel_trials=3")


def test_versions_are_listed_and_an_alias_chooses_one(client: Client) -> None:
    number = client.predict("/slow_model/publish", {})
    assert client.registry("slow")["versions"][0]["number"] == number
    assert client.registry("slow", number)["artefacts"][0]["name"] == "a.bin"
    assert client.set_alias("slow", "chosen", number)["version"] == number
    assert client.registry("slow")["aliases"]["chosen"] == number
    assert "slow" in [model["model"] for model in client.registry()]


def test_progress_is_told_with_every_change(client: Client, gate: Path) -> None:
    seen: list[str] = []

    def tell(job: JobView) -> None:
        seen.append(job.state)
        gate.touch()

    client.predict("slow", {"until": str(gate)}, queued=True).wait(progress=tell)
    assert seen[-1] == "succeeded"
    assert len(seen) >= 2


def test_a_bar_is_drawn_on_standard_error(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.predict("sample", BODY, queued=True).wait(progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "sample succeeded" in err
    assert "100%" in err


def test_a_job_that_goes_on_can_be_left_and_cancelled(client: Client, gate: Path) -> None:
    job = client.predict("slow", {"until": str(gate)}, queued=True)
    with pytest.raises(StillRunning):
        job.wait(timeout_s=0)
    assert job.cancel().state in ("cancelling", "cancelled")
    assert job.wait().state == "cancelled"
    assert job.cancel().state == "cancelled"
    with pytest.raises(JobUnsuccessful, match="cancelled"):
        job.result()


def test_a_refused_job_keeps_its_problem_and_can_be_retried(client: Client) -> None:
    job = client.predict("slow", {"refuse": True}, queued=True)
    with pytest.raises(JobUnsuccessful, match="it will not") as caught:
        job.result()
    assert (caught.value.state, caught.value.status) == ("failed", 409)
    assert caught.value.problem["instance"] == "/slow_model/predict"
    assert job.retry().state == "queued"
    assert job.wait().state == "failed"


def test_a_job_that_succeeded_cannot_be_retried(client: Client) -> None:
    job = client.predict("sample", BODY, queued=True).wait()
    with pytest.raises(AtollClientError) as caught:
        job.retry()
    assert caught.value.status == 409


def test_jobs_are_read_page_by_page_newest_first(client: Client) -> None:
    made = [client.predict("sample", BODY, queued=True).id for _ in range(3)]
    found = [job.id for job in itertools.islice(client.jobs(model="sample", page_size=1), 10)]
    assert [job_id for job_id in found if job_id in made] == made[::-1]


def test_a_wrong_filter_is_told(client: Client) -> None:
    with pytest.raises(AtollClientError, match="state"):
        list(client.jobs(state="asleep"))


def test_following_the_log_ends_with_the_job(client: Client) -> None:
    job = client.predict("sample", BODY, queued=True)
    lines = list(job.logs(follow=True))
    assert job.is_finished
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)


def test_an_unknown_job_is_told(client: Client) -> None:
    with pytest.raises(AtollClientError, match="no job nosuch") as caught:
        client.job("nosuch")
    assert caught.value.status == 404


def test_the_registry_is_listed_and_a_wrong_alias_refused(client: Client) -> None:
    assert isinstance(client.registry(), list)
    with pytest.raises(AtollClientError, match="404"):
        client.registry("nosuch")
    with pytest.raises(AtollClientError, match="404"):
        client.set_alias("nosuch", "default", 1)


def test_no_server_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url, policy=Policy(tries=2, base_s=0)) as client, pytest.raises(Unreachable, match=url):
        client.models()


def test_an_address_or_key_that_cannot_be_is_refused_at_once() -> None:
    for url in ("localhost:7071", "ftp://a.test", "http://", "http://a.test?x=1"):
        with pytest.raises(ValueError, match="address"):
            Client(url)
    with pytest.raises(ValueError, match="ATOLL_KEY"):
        Client(key="schlüssel")


def answering(seen: list[httpx.Request], *outcomes: int | Exception) -> Callable[[httpx.Request], httpx.Response]:
    left = iter(outcomes)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome, json=[], headers={"Retry-After": "0"})

    return answer


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_URL", "https://a.test/atoll/")
    monkeypatch.setenv("ATOLL_KEY", "secret\n")
    seen: list[httpx.Request] = []
    with Client(transport=httpx.MockTransport(answering(seen, 200))) as client:
        client.models()
    assert str(seen[0].url) == "https://a.test/atoll/models"
    assert seen[0].headers["Authorization"] == "Bearer secret"


def test_no_key_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_KEY", "")
    seen: list[httpx.Request] = []
    with Client(transport=httpx.MockTransport(answering(seen, 200))) as client:
        client.models()
    assert "Authorization" not in seen[0].headers


FAULTS = [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.ReadTimeout("slow"), 429, 503]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_that_passes_is_not_seen(fault: int | Exception) -> None:
    seen: list[httpx.Request] = []
    policy = Policy(base_s=0)
    with Client(policy=policy, transport=httpx.MockTransport(answering(seen, fault, 200))) as client:
        assert client.models() == []
    assert len(seen) == 2


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_awaiting_a_fault_that_passes_is_not_seen(fault: int | Exception) -> None:
    async def ask() -> None:
        transport = httpx.MockTransport(answering([], fault, 200))
        async with AsyncClient(policy=Policy(base_s=0), transport=transport) as client:
            assert await client.models() == []

    asyncio.run(ask())


def test_both_clients_have_the_same_methods() -> None:
    for one, other in ((Client, AsyncClient), (Job, AsyncJob)):
        public = {name for name in vars(one) if not name.startswith("_")}
        assert public == {name for name in vars(other) if not name.startswith("_")}
        for name in public & {"predict", "train", "job", "jobs", "registry", "set_alias", "wait", "result", "logs"}:
            mine, theirs = (inspect.signature(getattr(kind, name)) for kind in (one, other))
            assert list(mine.parameters) == list(theirs.parameters), name


async def collected(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


def test_everything_can_be_awaited(job_server: Server, gate: Path) -> None:
    async def ask() -> None:
        async with AsyncClient(job_server.url) as client:
            assert await client.predict("sample", BODY) == HELLO
            assert {model["name"] for model in await client.models()} == {"sample", "slow"}
            assert len(await client.params()) == 2
            assert await client.datasets() == []
            assert isinstance(await client.registry(), list)
            with pytest.raises(AtollClientError):
                await client.set_alias("nosuch", "default", 1)
            slow = await client.train("slow", {"until": str(gate)})
            done = await client.predict("sample", BODY, queued=True)
            assert await done.result() == HELLO
            assert (await (await client.job(done.id)).refresh()).has_succeeded
            await slow.cancel()
            assert (await slow.wait(progress=False)).state == "cancelled"
            await collected(slow.logs(follow=True))
            with pytest.raises(AtollClientError):
                await slow.retry()
            found = [job.id async for job in client.jobs(page_size=500)]
            assert {slow.id, done.id} <= set(found)

    asyncio.run(ask())


def test_many_jobs_are_awaited_at_once(job_server: Server) -> None:
    async def ask() -> list[object]:
        async with AsyncClient(job_server.url) as client:

            async def one(name: str) -> object:
                job = await client.predict("sample", {"requiredField": name}, queued=True)
                return await job.result()

            return await asyncio.gather(*(one(str(number)) for number in range(8)))

    assert asyncio.run(ask()) == [{"resp1": f"Hello {number}"} for number in range(8)]


def test_the_client_imports_nothing_of_the_server(tmp_path: Path) -> None:
    code = "import sys, common.client; print({'fastapi', 'sqlalchemy', 'numpy', 'uvicorn'} & set(sys.modules))"
    assert run_python(["-c", code], tmp_path).stdout == "set()\n"


def test_both_clients_change_the_registry_by_the_same_calls() -> None:
    for name in ("rollback", "promote", "set_traffic", "clear_traffic", "describe", "delete_version", "artefact"):
        mine, theirs = (inspect.signature(getattr(kind, name)) for kind in (RegistryCalls, AsyncRegistryCalls))
        assert list(mine.parameters) == list(theirs.parameters), name

    async def ask(seen: list[httpx.Request]) -> None:
        async with AsyncClient(transport=httpx.MockTransport(answering(seen, *[200] * 9))) as client:
            await client.rollback("m", current=3)
            await client.promote("m", metric="rmse", direction="lower")
            await client.set_traffic("m", {"default": 1})
            await client.clear_traffic("m")
            await client.describe("m", 1, description="x")
            await client.delete_version("m", 1)
            await client.delete_alias("m", "a")
            await client.delete_model("m")
            await client.artefact("m", 1, "a.bin")

    awaited: list[httpx.Request] = []
    asyncio.run(ask(awaited))
    blocking: list[httpx.Request] = []
    with Client(transport=httpx.MockTransport(answering(blocking, *[200] * 9))) as client:
        client.rollback("m", current=3)
        client.promote("m", metric="rmse", direction="lower")
        client.set_traffic("m", {"default": 1})
        client.clear_traffic("m")
        client.describe("m", 1, description="x")
        client.delete_version("m", 1)
        client.delete_alias("m", "a")
        client.delete_model("m")
        client.artefact("m", 1, "a.bin")
    assert [(one.method, one.url, one.read()) for one in awaited] == [
        (one.method, one.url, one.read()) for one in blocking
    ]
