"""Data sets: uploading with a checksum, replacing, deleting, and what is missing in a file."""

import gzip
import hashlib
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server

Visit = Callable[..., Page]

CSV = b'country,2019,2020,note\nFJI,1,,"a ""b"", c"\nTUV,,,\nWSM,3,4,NA\nTON,5,..,x\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("data"), env={"SERVICE_MODEL": "sample"})
    started.client.put("/datasets/islands/values.csv", content=CSV)
    yield started
    started.stop()


def upload(page: Page, dataset: str, name: str, content: bytes) -> None:
    page.get_by_label("Data set *").fill(dataset)
    page.get_by_label("Files *").set_input_files(FilePayload(name=name, mimeType="", buffer=content))
    page.get_by_role("button", name="Upload").click()


def test_a_file_is_uploaded_with_its_checksum_and_stands_in_its_data_set(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/data")
    content = bytes(range(256)) * 1000
    upload(page, "fresh", "numbers.bin", content)
    expect(page.get_by_text(f"SHA-256 {hashlib.sha256(content).hexdigest()}")).to_be_visible()
    expect(page.get_by_role("region", name="Files of fresh")).to_contain_text("numbers.bin")
    assert server.get("/datasets/fresh/numbers.bin").content == content


def test_a_file_that_is_there_is_replaced_only_when_one_says_so(visit: Visit, server: Server) -> None:
    server.client.put("/datasets/again/values.csv", content=b"a\n1\n")
    page = visit(server, "/console/data")
    upload(page, "again", "values.csv", b"a\n2\n")
    dialog = page.get_by_role("dialog", name="Replace 1 file?")
    expect(dialog).to_contain_text("cannot be brought back")
    dialog.get_by_role("button", name="Cancel").click()
    assert server.get("/datasets/again/values.csv").content == b"a\n1\n"
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(page.get_by_text("values.csv was uploaded")).to_be_visible()
    assert server.get("/datasets/again/values.csv").content == b"a\n2\n"


def test_a_file_is_deleted_after_a_question(visit: Visit, server: Server) -> None:
    server.client.put("/datasets/short/lived.csv", content=b"a\n1\n")
    page = visit(server, "/console/data")
    page.get_by_role("button", name="Delete lived.csv").click()
    page.get_by_role("dialog", name="Delete short/lived.csv?").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("region", name="Files of short")).not_to_be_visible()
    assert server.get("/datasets/short/lived.csv").status_code == 404


def test_a_name_that_cannot_be_is_told_beside_the_form(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/data", expected=("status of 422",))
    upload(page, ".hidden", "values.csv", b"a\n1\n")
    expect(page.locator("#upload-error")).not_to_be_empty()
    page.get_by_label("Data set *").fill("")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#upload-error")).to_contain_text("Name the data set")


def test_who_may_only_ask_sees_nothing_to_change(visit: Visit, start_server: Callable[..., Server]) -> None:
    admin = "an-administrators-key-for-tests-only-0123456789"
    env = {"SERVICE_MODEL": "sample", "ANONYMOUS_SCOPES": "predict", "ATOLL_ADMIN_KEY": admin}
    server = start_server(env=env)
    bearer = {"Authorization": f"Bearer {admin}"}
    server.client.put("/datasets/islands/values.csv", content=CSV, headers=bearer).raise_for_status()
    page = visit(server, "/console/data")
    row = page.get_by_role("row").filter(has_text="values.csv")
    expect(row.get_by_role("button", name="Missing values")).to_be_visible()
    expect(row.get_by_role("button", name="Delete")).to_have_count(0)
    expect(page.get_by_role("button", name="Upload")).not_to_be_visible()
    expect(page.get_by_role("link", name="Settings")).not_to_be_visible()


@pytest.mark.parametrize("name", ["values.csv", "packed.csv.gz"])
def test_what_is_missing_in_a_file_is_drawn_and_counted(visit: Visit, server: Server, name: str) -> None:
    content = gzip.compress(CSV) if name.endswith(".gz") else CSV
    server.client.put(f"/datasets/islands/{name}", content=content)
    page = visit(server, "/console/data")
    row = page.get_by_role("region", name="Files of islands").get_by_role("row").filter(has_text=name)
    row.get_by_role("button", name="Missing values").click()
    dialog = page.get_by_role("dialog", name=f"Missing values of islands/{name}")
    expect(dialog.get_by_role("img").locator("canvas").first).to_be_visible()
    columns = dialog.get_by_role("table", name="Columns").get_by_role("row")
    expect(columns.nth(1)).to_contain_text("country0%4")
    expect(columns.nth(2)).to_contain_text("201925.0%3")
    expect(columns.nth(3)).to_contain_text("202075.0%1")
    expect(columns.nth(4)).to_contain_text("note50.0%2")
    assert violations(page) == []


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 4 * 1024 * 1024 + 3])
def test_checksums_are_those_of_everybody(visit: Visit, server: Server, size: int) -> None:
    page = visit(server, "/console/clusters")
    found = page.evaluate(
        "async (size) => { const base = document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '');"
        " const { sha256 } = await import(base + 'shared/sha256.js');"
        " return sha256(new Blob([Uint8Array.from({ length: size }, (_, at) => (at * 7) % 251)])); }",
        size,
    )
    assert found == hashlib.sha256(bytes((at * 7) % 251 for at in range(size))).hexdigest()


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_data_sets_are_open_to_people_with_disabilities(visit: Visit, server: Server, phone: bool, dark: bool) -> None:
    page = visit(server, "/console/data", phone=phone, dark=dark)
    expect(page.get_by_role("region", name="Files of islands")).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0
