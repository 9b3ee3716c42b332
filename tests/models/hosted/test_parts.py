"""Uploads in parts."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.models.hosted.conftest import Site
from tests.support.clients import connected
from tests.support.onnx_models import heavy
from tests.support.problems import assert_problem

PART = 4096


@pytest.fixture
def file(site: Site) -> Path:
    """A model of three parts and a bit."""
    site.client.app.state.runtime.settings.hosting.upload_part_bytes = PART  # type: ignore[attr-defined]
    return heavy(site.folder / "heavy.onnx", 3 * PART)


def begin(site: Site, file: Path, **more: object) -> Any:
    content = file.read_bytes()
    asked = {"tag": "big", "filename": "up/big.onnx", "size_bytes": len(content)}
    asked |= {"sha256": hashlib.sha256(content).hexdigest(), **more}
    begun = site.client.post("/hosted/uploads", json=asked)
    assert begun.status_code == 201, begun.text
    return begun.json()


def send(site: Site, upload: Any, content: bytes, number: int) -> httpx.Response:
    part = content[(number - 1) * PART : number * PART]
    return site.client.request("PUT", f"/hosted/uploads/{upload['id']}/parts/{number}", content=part)


def test_parts_in_any_order_become_a_version(site: Site, file: Path) -> None:
    content, upload = file.read_bytes(), begin(site, file, model_description="in parts", alias="candidate")
    assert (upload["parts"], upload["part_bytes"], upload["received"]) == (-(-len(content) // PART), PART, [])
    for number in range(upload["parts"], 0, -1):
        assert send(site, upload, content, number).status_code == 200
    assert site.client.get("/hosted/models").json() == []
    made = site.client.post(f"/hosted/uploads/{upload['id']}")
    assert made.status_code == 201, made.text
    assert (made.json()["ref"], made.json()["aliases"]) == ("big:1", ["candidate", "default"])
    assert site.client.get("/hosted/models/big/download").content == content
    assert site.client.get("/hosted/models/big").json()["file"] == "big.onnx"
    # Nothing is left of the parts, and who did not hear the answer is told again.
    assert site.client.get(f"/hosted/uploads/{upload['id']}").json()["received"] == []
    again = site.client.post(f"/hosted/uploads/{upload['id']}")
    assert again.json() == made.json()
    assert site.client.get("/hosted/models/big").json()["versions"][0]["version"] == 1
    assert_problem(send(site, upload, content, 1), 409)


def test_what_is_missing_is_told_and_can_be_sent(site: Site, file: Path) -> None:
    content, upload = file.read_bytes(), begin(site, file)
    send(site, upload, content, 2)
    told = assert_problem(site.client.post(f"/hosted/uploads/{upload['id']}"), 409, told="send parts 1")
    assert told["missing"] == [number for number in range(1, upload["parts"] + 1) if number != 2]
    assert site.client.get(f"/hosted/uploads/{upload['id']}").json()["received"] == [2]


def test_a_part_of_another_size_or_checksum_is_not_kept(site: Site, file: Path) -> None:
    upload = begin(site, file)
    path = f"/hosted/uploads/{upload['id']}/parts"
    assert_problem(site.client.request("PUT", f"{path}/1", content=b"x" * (PART - 1)), 422, told="not 4096")
    assert_problem(site.client.request("PUT", f"{path}/1", content=b"x" * (PART + 1)), 413)
    wrong = site.client.request("PUT", f"{path}/1", content=b"x" * PART, headers={"X-Checksum-Sha256": "0" * 64})
    assert_problem(wrong, 422)
    assert_problem(site.client.request("PUT", f"{path}/99", content=b"x" * PART), 422, told="parts 1 to")
    assert_problem(site.client.request("PUT", f"{path}/1", files={"path": b"x" * PART}), 415)
    assert site.client.get(f"/hosted/uploads/{upload['id']}").json()["received"] == []


def test_a_whole_that_is_not_what_was_announced_is_no_version(site: Site, file: Path) -> None:
    content, upload = file.read_bytes(), begin(site, file, sha256="0" * 64)
    for number in range(1, upload["parts"] + 1):
        send(site, upload, content, number)
    assert_problem(site.client.post(f"/hosted/uploads/{upload['id']}"), 422, told="as announced")
    assert site.client.get("/hosted/models").json() == []
    assert site.uploading == []


def test_parts_that_are_sent_at_once_are_all_kept(site: Site, file: Path) -> None:
    content, upload = file.read_bytes(), begin(site, file)

    async def every() -> list[httpx.Response]:
        async with connected(site.client.app) as client:
            calls = [
                client.put(f"/hosted/uploads/{upload['id']}/parts/{n}", content=content[(n - 1) * PART : n * PART])
                for n in range(1, upload["parts"] + 1)
            ]
            return list(await asyncio.gather(*calls))

    assert {answer.status_code for answer in asyncio.run(every())} == {200}
    assert site.client.post(f"/hosted/uploads/{upload['id']}").status_code == 201


def test_an_upload_is_dropped(site: Site, file: Path) -> None:
    upload = begin(site, file)
    send(site, upload, file.read_bytes(), 1)
    assert site.client.request("DELETE", f"/hosted/uploads/{upload['id']}").status_code == 204
    assert_problem(site.client.get(f"/hosted/uploads/{upload['id']}"), 404)
    assert not [path for path in (site.state / "share" / "hosted").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"tag": "sample"}, 409),
        ({"tag": "A"}, 422),
        ({"size_bytes": 0}, 422),
        ({"size_bytes": 10**12}, 413),
        ({"sha256": "abc"}, 422),
        ({"filename": ""}, 422),
        ({"extra": 1}, 422),
    ],
)
def test_an_upload_that_cannot_be_is_refused_before_a_part_is_sent(
    site: Site, more: dict[str, object], status: int
) -> None:
    asked = {"tag": "big", "filename": "big.onnx", "size_bytes": 10, "sha256": "0" * 64} | more
    assert_problem(site.client.post("/hosted/uploads", json=asked), status)


def test_a_file_of_any_size_has_at_most_a_thousand_parts(site: Site, file: Path) -> None:
    asked = {"tag": "big", "filename": "b.onnx", "size_bytes": PART * 5000, "sha256": "0" * 64}
    begun = site.client.post("/hosted/uploads", json=asked).json()
    assert (begun["parts"], begun["part_bytes"]) == (1000, 5 * PART)
