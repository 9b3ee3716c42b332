"""What the client asks of a server itself, and of its models' own routes, on a real server."""

import asyncio
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import httpx
import numpy as np
import pytest

from common.client import AsyncClient, AtollClientError, Client, Job
from common.client.inference import tensor
from common.version import VERSION
from tests.support.servers import Server


def test_a_server_tells_what_it_is_and_how_it_is(client: Client) -> None:
    assert client.server()["version"] == VERSION
    assert client.openapi()["openapi"].startswith("3.1")
    assert client.is_live()
    assert client.is_ready()
    assert "# HELP atoll_" in client.metrics()


def test_a_server_that_is_not_there_is_neither_live_nor_ready() -> None:
    with Client("http://127.0.0.1:1") as client:
        assert not client.is_live()
        assert not client.is_ready()
        assert not client.is_model_ready("sample")


def test_settings_are_told_without_secrets(client: Client) -> None:
    assert {area["name"] for area in client.settings()["areas"]} >= {"http", "jobs"}


def test_what_was_done_is_told_newest_first_over_several_pages(client: Client) -> None:
    for number in range(3):
        client.revoke_key(client.create_key(f"audited {number}")["id"])
    found = list(islice(client.audit(action="key", page_size=2), 6))
    assert [item["action"] for item in found] == ["key.revoked", "key.created"] * 3
    assert found[0]["at"] >= found[-1]["at"]
    assert list(client.audit(action="key", before="2000-01-01T00:00:00Z")) == []


def test_a_file_of_a_data_set_is_written_read_listed_and_deleted(client: Client, tmp_path: Path) -> None:
    (tmp_path / "wine.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert client.put_dataset_file("cellar", tmp_path / "wine.csv")["size_bytes"] == 8
    client.put_dataset_file("cellar", tmp_path / "wine.csv", name="second.csv")
    (found,) = [item for item in client.datasets() if item["name"] == "cellar"]
    assert [file["name"] for file in found["files"]] == ["second.csv", "wine.csv"]
    assert client.dataset_file("cellar", "wine.csv") == b"a,b\n1,2\n"
    copy = client.download_dataset_file("cellar", "second.csv", tmp_path / "deep" / "copy.csv")
    assert copy.read_bytes() == b"a,b\n1,2\n"
    for name in ("wine.csv", "second.csv"):
        client.delete_dataset_file("cellar", name)
    assert "cellar" not in [item["name"] for item in client.datasets()]


def test_a_download_of_what_is_not_there_leaves_nothing(client: Client, tmp_path: Path) -> None:
    with pytest.raises(AtollClientError) as told:
        client.download_dataset_file("cellar", "none.csv", tmp_path / "x" / "none.csv")
    assert told.value.status == 404
    assert list(tmp_path.rglob("*.csv")) == []


def test_an_input_goes_in_parts_and_a_task_reads_it(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "UPLOAD_PART_BYTES": str(1 << 20)})
    big, script = tmp_path / "big.bin", tmp_path / "a.sh"
    big.write_bytes(bytes(range(256)) * 10_000)
    script.write_text('wc -c < "$ATOLL_INPUT_DIR/in.bin"\n', encoding="utf-8")
    steps: list[tuple[int, int]] = []
    with Client(server.url) as client:
        made = client.upload_input(big, told=lambda done, total: steps.append((done, total)))
        assert (made["complete"], steps) == (True, [(1, 3), (2, 3), (3, 3)])
        given = [{"path": "in.bin", "upload": made["id"]}]
        task = client.submit_task(script, cluster="local", inputs=(), config={"inputs": given})
        assert [line.strip() for line in task.logs(follow=True)] == ["2560000"]
        client.drop_input(made["id"])


def test_an_upload_that_broke_off_goes_on_with_the_parts_that_are_missing(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "UPLOAD_PART_BYTES": str(1 << 20)})
    big, other = tmp_path / "big.bin", tmp_path / "other.bin"
    big.write_bytes(b"x" * (5 << 19))
    other.write_bytes(b"y")
    steps: list[int] = []

    class Cut(Exception):
        pass

    def cut(done: int, _: int) -> None:
        raise Cut

    with Client(server.url) as client:
        seen: list[str] = []
        client._http.event_hooks["response"] = [
            lambda answer: seen.append(f"{answer.request.method} {answer.url.path}")
        ]
        with pytest.raises(Cut):
            client.upload_input(big, told=cut)
        upload_id = seen[-1].split("/")[3]
        assert client.input_upload(upload_id)["received"] == [1]
        with pytest.raises(ValueError, match="another file"):
            client.upload_input(other, resume=upload_id)
        assert client.upload_input(big, resume=upload_id, told=lambda done, _: steps.append(done))["complete"]
    assert steps == [2, 3]


def test_a_cluster_is_told_by_its_name(client: Client) -> None:
    assert client.cluster("local")["name"] == "local"


def test_tensors_are_made_of_arrays_lists_and_texts(client: Client) -> None:
    answer = client.infer("sample", {"requiredField": ["Ada", "Grace"]})
    assert answer["outputs"][0]["data"] == ["Hello Ada", "Hello Grace"]
    asked = [{"name": "requiredField", "datatype": "BYTES", "shape": [1], "data": ["Edsger"]}]
    assert client.infer("sample", asked, request_id="7")["id"] == "7"
    assert client.tensors("sample")["inputs"][0]["name"] == "requiredField"
    assert "sample" in client.inference_models()
    assert {"sample"} <= {item["name"] for item in client.inference_index()}
    assert client.is_inference_live()
    assert client.is_inference_ready()
    assert client.is_model_ready("sample")
    assert not client.is_model_ready("none")


def test_an_input_that_the_model_has_not_is_refused_before_it_is_sent(client: Client) -> None:
    with pytest.raises(AtollClientError, match="has no input 'x'; it has requiredField, optionalField"):
        client.infer("sample", {"x": [1.0]})


@pytest.mark.parametrize(
    ("values", "datatype", "shape", "data"),
    [
        (np.ones((2, 1), np.float32), "FP32", [2, 1], [1.0, 1.0]),
        ([[1, 2]], "INT64", [1, 2], [1, 2]),
        (np.array([3], np.uint8), "UINT8", [1], [3]),
        (1.5, "FP64", [1], [1.5]),
        ([True], "BOOL", [1], [True]),
        ("Ada", "BYTES", [1], ["Ada"]),
        (np.array([b"Ada"]), "BYTES", [1], ["Ada"]),
    ],
)
def test_a_tensor_says_what_it_holds(values: object, datatype: str, shape: list[int], data: list[object]) -> None:
    assert tensor("x", values) == {"name": "x", "datatype": datatype, "shape": shape, "data": data}


@pytest.mark.parametrize("values", [[None], [object()], [[1], [2, 3]]])
def test_what_is_no_tensor_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"give numbers|inhomogeneous"):
        tensor("x", values)


def test_a_models_own_routes_are_called_by_their_names(client: Client) -> None:
    sample = client.model("sample")
    assert "POST /sample_model/test_endpoint2" in sample.routes()
    assert sample.post("test_endpoint1", {"requiredField": "x"}) == {"resp1": "Test 1"}
    assert sample.post("test_endpoint2", name="Ada & Grace") == "Hi Ada & Grace"


def test_a_route_that_queues_its_work_gives_the_job(client: Client) -> None:
    line = {"x": [0, 1, 2], "y": [1, 3, 5], "trials": 2}
    job = client.model("sample").post("train", line, idempotency_key="a key")
    assert isinstance(job, Job)
    job.wait(60)
    assert job.has_succeeded
    assert [trial["number"] for trial in job.trials()] == [0, 1]
    assert (
        client.model("sample").post("train", {"x": [0, 1, 2], "y": [1, 3, 5], "trials": 2}, idempotency_key="a key").id
        == job.id
    )


def test_a_route_that_is_not_there_is_told_with_those_that_are(client: Client) -> None:
    with pytest.raises(AtollClientError, match="no route POST 'predcit'; its POST routes are /sample_model/predict"):
        client.model("sample").post("predcit", {})
    with pytest.raises(AtollClientError, match="has no model 'none'; it has sample"):
        client.model("none").get("x")


@pytest.mark.parametrize("route", ["models/{ref}", "/models/{ref}/"])
def test_parameters_of_the_path_are_put_into_it_and_the_others_into_the_query(route: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        routes = ["GET /up/models/{ref}", "GET /up/models/{ref}/download"]
        return httpx.Response(200, json=[{"name": "hosted", "routes": routes}])

    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(answer)) as client:
        client.model("hosted").get(route, ref="a/b:2", version=3, alias=None)
        assert seen[-1].url.raw_path == b"/up/models/a%2Fb%3A2?version=3"
        with pytest.raises(AtollClientError, match="wants ref"):
            client.model("hosted").get(route)


def test_what_can_be_called_can_be_awaited(job_server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n", encoding="utf-8")

    async def ask() -> None:
        async with AsyncClient(job_server.url) as client:
            sample = client.model("sample")
            assert await sample.post("test_endpoint2", name="Ada") == "Hi Ada"
            job = await sample.post("train", {"x": [0, 1, 2], "y": [1, 3, 5], "trials": 1})
            await job.wait(60)
            assert len(await job.trials()) == 1
            made = await client.upload_input(tmp_path / "a.csv")
            assert (await client.input_upload(made["id"]))["complete"]
            await client.drop_input(made["id"])
            await client.put_dataset_file("awaited", tmp_path / "a.csv")
            assert await client.dataset_file("awaited", "a.csv") == b"a\n1\n"
            await client.delete_dataset_file("awaited", "a.csv")
            assert (await client.infer("sample", {"requiredField": "Ada"}))["outputs"][0]["data"] == ["Hello Ada"]
            assert await client.is_ready()

    asyncio.run(ask())
