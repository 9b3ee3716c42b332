"""`/datasets` over each kind of share."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from common.app import create_app
from common.errors import Invalid
from common.settings import PluginSettings, Settings, StorageSettings
from common.storage import Share, incoming
from common.storage.incoming import told_sha256

LIMIT_BYTES = 3 << 20
PATH = "/datasets/sids/data.csv"


@pytest.fixture
def app(share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    storage = StorageSettings(state_dir=tmp_path / "state", max_dataset_bytes=LIMIT_BYTES)
    monkeypatch.setattr("common.routes.datasets.open_share", lambda _: share)
    return create_app(Settings(plugins=PluginSettings(service_model=("sample",)), storage=storage))


def ask(app: FastAPI, method: str, path: str, **more: Any) -> httpx.Response:
    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.request(method, path, **more)

    return asyncio.run(request())


async def send_raw(app: FastAPI, messages: list[Message]) -> list[Message]:
    """A PUT whose body arrives as these messages."""
    waiting, sent = iter(messages), []

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "PUT",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": None,
    }
    await app(scope, receive, send)
    return sent


def assert_problem(answer: httpx.Response, status: int, told: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]


def test_a_file_is_put_and_got(app: FastAPI) -> None:
    put = ask(app, "PUT", PATH, content=b"a,b\n1,2\n")
    assert put.status_code == 201
    assert put.json() == {
        "dataset": "sids",
        "file": "data.csv",
        "size_bytes": 8,
        "sha256": hashlib.sha256(b"a,b\n1,2\n").hexdigest(),
    }
    got = ask(app, "GET", PATH)
    assert got.content == b"a,b\n1,2\n"
    assert got.headers["content-length"] == "8"
    assert got.headers["content-type"].startswith("text/csv")
    assert got.headers["content-disposition"] == 'attachment; filename="data.csv"'


def test_a_file_that_was_there_is_replaced(app: FastAPI) -> None:
    assert ask(app, "PUT", PATH, content=b"before").status_code == 201
    assert ask(app, "PUT", PATH, content=b"after").status_code == 200
    assert ask(app, "GET", PATH).content == b"after"


def test_a_file_of_many_parts_comes_back_whole(app: FastAPI) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 70_001

    whole = b"".join(bytes([number]) * 70_001 for number in range(40))
    assert ask(app, "PUT", PATH, content=parts()).json()["size_bytes"] == len(whole)
    assert ask(app, "GET", PATH).content == whole


def test_an_etag_spares_the_content_until_it_changes(app: FastAPI) -> None:
    ask(app, "PUT", PATH, content=b"before")
    etag = ask(app, "GET", PATH).headers["etag"]
    assert ask(app, "GET", PATH, headers={"If-None-Match": f'"other", W/{etag}'}).status_code == 304
    ask(app, "PUT", PATH, content=b"after!")
    assert ask(app, "GET", PATH, headers={"If-None-Match": etag}).content == b"after!"


@pytest.mark.parametrize("header", ["Content-Digest", "X-Checksum-Sha256"])
def test_a_digest_that_fits_is_taken(app: FastAPI, header: str) -> None:
    digest = hashlib.sha256(b"content")
    told = digest.hexdigest().upper()
    if header == "Content-Digest":
        told = f"md5=:AAAA:, sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert ask(app, "PUT", PATH, content=b"content", headers={header: told}).status_code == 201


def test_a_digest_that_does_not_fit_changes_nothing(app: FastAPI) -> None:
    ask(app, "PUT", PATH, content=b"before")
    wrong = {"X-Checksum-Sha256": hashlib.sha256(b"other").hexdigest()}
    assert_problem(ask(app, "PUT", PATH, content=b"after", headers=wrong), 422, "nothing was written")
    assert ask(app, "GET", PATH).content == b"before"
    new = ask(app, "PUT", "/datasets/sids/new.csv", content=b"after", headers=wrong)
    assert_problem(new, 422, "nothing was written")
    assert_problem(ask(app, "GET", "/datasets/sids/new.csv"), 404, "it has data.csv")


@pytest.mark.parametrize("declared", [True, False])
def test_a_file_that_is_too_large_changes_nothing(app: FastAPI, declared: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * (1 << 20)

    ask(app, "PUT", PATH, content=b"before")
    content = b"x" * (LIMIT_BYTES + 1) if declared else parts()
    assert_problem(ask(app, "PUT", PATH, content=content), 413, "MAX_DATASET_BYTES")
    assert ask(app, "GET", PATH).content == b"before"


def test_an_upload_that_is_interrupted_changes_nothing(app: FastAPI, share: Share) -> None:
    ask(app, "PUT", PATH, content=b"before")
    messages: list[Message] = [
        {"type": "http.request", "body": b"x" * (2 << 20), "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = asyncio.run(send_raw(app, messages))
    assert sent[0]["status"] == 400
    assert ask(app, "GET", PATH).content == b"before"
    assert [info.path for info in share.find()] == ["datasets/sids/data.csv"]
    assert share.sweep(older_than_s=-60) == 0


def test_an_upload_that_stalls_changes_nothing(app: FastAPI, share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    monkeypatch.setattr(incoming, "_STALL_S", 0.01)
    assert_problem(ask(app, "PUT", PATH, content=parts()), 400, "nothing arrived")
    assert share.find() == []


def test_a_deleted_file_is_gone(app: FastAPI) -> None:
    ask(app, "PUT", PATH, content=b"content")
    assert ask(app, "DELETE", PATH).status_code == 204
    assert_problem(ask(app, "GET", PATH), 404, "it has none")
    assert_problem(ask(app, "DELETE", PATH), 404, "it has none")


@pytest.mark.parametrize("name", ["%2E%2E", ".hidden", "a%20b", "a%5Cb", "x" * 101, "%00", "last.", "a:b", "ü"])
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_a_name_that_could_be_a_path_is_refused(app: FastAPI, share: Share, method: str, name: str) -> None:
    for path in (f"/datasets/{name}/data.csv", f"/datasets/sids/{name}"):
        assert ask(app, method, path, content=b"x" if method == "PUT" else None).status_code in (404, 422)
    assert share.find() == []


@pytest.mark.parametrize("file", ["data.csv.gz", "data.json", "data.parquet", "data.zip", "no-suffix", "page.html"])
def test_any_kind_of_file_is_taken_and_none_is_shown_as_a_page(app: FastAPI, file: str) -> None:
    assert ask(app, "PUT", f"/datasets/sids/{file}", content=b"\x00\xff").status_code == 201
    got = ask(app, "GET", f"/datasets/sids/{file}")
    assert got.content == b"\x00\xff"
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in got.headers


def test_data_sets_are_listed_with_their_files(app: FastAPI, share: Share) -> None:
    ask(app, "PUT", PATH, content=b"country,2020,2021\nFJ,1,2\n")
    ask(app, "PUT", "/datasets/sids/notes.json", content=b"{}")
    ask(app, "PUT", "/datasets/other/data.parquet", content=b"PAR1")
    listed = {item["name"]: item for item in ask(app, "GET", "/datasets").json()}
    assert set(listed) == {"sids", "other"}
    assert [(file["name"], file["size_bytes"]) for file in listed["sids"]["files"]] == [
        ("data.csv", 25),
        ("notes.json", 2),
    ]
    assert listed["sids"]["origin"] == "share"
    # Only what is on this machine is read for its rows.
    mounted = share.local_path("x") is not None
    assert listed["sids"]["rows"] == (1 if mounted else None)
    assert listed["sids"]["years"] == ([2020, 2021] if mounted else [])
    assert listed["other"]["rows"] is None


@pytest.mark.parametrize("headers", [{"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Encoding": "gzip"}])
def test_a_body_that_is_not_the_file_itself_is_refused(app: FastAPI, share: Share, headers: dict[str, str]) -> None:
    assert_problem(ask(app, "PUT", PATH, content=b"x", headers=headers), 415, "send the file")
    assert share.find() == []


@pytest.mark.parametrize(
    ("digest", "checksum"),
    [
        (None, "abc"),
        (None, "g" * 64),
        ("sha-256=abc", None),
        ("sha-256=:abc:", None),
        ("sha-256=:AAAA:", None),
        (f"sha-256=:{base64.b64encode(bytes(32)).decode()}:", "1" * 64),
    ],
)
def test_a_header_that_tells_no_digest_is_refused(digest: str | None, checksum: str | None) -> None:
    with pytest.raises(Invalid):
        told_sha256(digest, checksum)


def test_another_digest_is_passed_over() -> None:
    assert told_sha256("sha-512=:AAAA:", None) is None
    assert told_sha256(None, None) is None
