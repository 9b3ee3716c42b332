"""Hosted models in the console: a file is dragged there, asked, compared with the next version, and rolled back."""

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.console.conftest import overflow_px, violations
from tests.models.hosted.makers import unknown_operator
from tests.support.onnx_models import add, brightness, heavy
from tests.support.servers import Server

Visit = Callable[..., Page]
PAGE = "/console/models/hosted"
ADMIN = "an-administrators-key-for-tests-only-0123456789"
AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}
PART_BYTES = 65_536
# A process of its own checks what is uploaded.
CHECKED_MS = 120_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that anybody may ask, and that the administrator alone changes, with small parts."""
    started = Server(
        tmp_path_factory.mktemp("hosted"),
        env={
            "SERVICE_MODEL": "hosted",
            "ANONYMOUS_SCOPES": "predict",
            "ATOLL_ADMIN_KEY": ADMIN,
            "UPLOAD_PART_BYTES": str(PART_BYTES),
        },
    )
    yield started
    started.stop()


@pytest.fixture(scope="module")
def adder(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tag of two versions, which add 1 and 2; the first one serves, the second is `candidate`."""
    folder = tmp_path_factory.mktemp("adder")
    for number, more in ((1, {}), (2, {"alias": "candidate"})):
        upload(
            server,
            "adder",
            add(folder / f"add-{number}.onnx", number),
            metrics=json.dumps({"rmse": 1 / number}),
            **more,
        )
    return "adder"


@pytest.fixture
def admin(visit: Visit, server: Server) -> Callable[..., Page]:
    """Opens pages as the administrator."""

    def open_page(path: str = PAGE, **options: Any) -> Page:
        page = visit(server, "/console/sign-in", **options)
        assert page.context.request.post(f"{server.url}/console/session", headers=AS_ADMIN).ok
        page.goto(server.url + path)
        return page

    return open_page


def upload(server: Server, tag: str, file: Path, **fields: str) -> None:
    with file.open("rb") as content:
        files = {"path": (file.name, content)}
        answer = server.post(f"/hosted/models/{tag}", files=files, data=fields, headers=AS_ADMIN)
    assert answer.status_code == 201, answer.text


def drag(page: Page, name: str, content: bytes) -> None:
    """Let go of a file over the form."""
    carried = page.evaluate_handle(
        """([name, content]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name));
          return carried;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": carried})


def answered(server: Server, ref: str) -> list[float]:
    """What is added to nothing."""
    found: list[float] = server.post(f"/hosted/models/{ref}/predict", json={"values": [0, 0, 0, 0]}).json()["values"][0]
    return found


def test_a_model_is_dragged_there_asked_compared_with_the_next_version_and_rolled_back(
    visit: Visit, tmp_path: Path
) -> None:
    bare = Server(tmp_path / "state", env={"SERVICE_MODEL": "hosted"})
    try:
        page = visit(bare, PAGE)
        expect(page.get_by_role("heading", name="Upload your first model")).to_be_visible()
        expect(page.get_by_role("region", name="Command that uploads it")).to_have_text(
            re.compile("atoll registry push")
        )

        drag(page, "old.joblib", b"\x80\x04N.")
        expect(page.get_by_role("alert")).to_contain_text("old.joblib is a pickle, and was not sent")
        expect(page.get_by_role("region", name="Command that converts it")).to_have_text(
            "atoll registry convert old.joblib"
        )

        drag(page, "Adder one.onnx", add(tmp_path / "1.onnx", 1).read_bytes())
        expect(page.get_by_role("alert")).to_have_count(0)
        name = page.get_by_label("Name", exact=True)
        expect(name).to_have_value("adder-one")
        name.fill("adder")
        page.get_by_role("button", name="Upload", exact=True).click()
        cell = page.get_by_label("X[0], row 1")
        expect(cell).to_be_visible(timeout=CHECKED_MS)
        cell.fill("41")
        cell.press("Control+Enter")
        expect(page.get_by_role("region", name="Answer by row").get_by_role("cell").first).to_have_text("42")

        page.get_by_role("button", name="New version").click()
        page.get_by_label("Drag a model here").set_input_files(add(tmp_path / "2.onnx", 2))
        page.get_by_role("button", name="Upload", exact=True).click()
        page.get_by_role("button", name="Ask both").click(timeout=CHECKED_MS)
        answer = page.get_by_role("region", name="Answer", exact=True)
        expect(answer).to_contain_text("1 of 1 row is answered differently")
        expect(answer.get_by_role("table", name="Latency").get_by_role("row").last).not_to_contain_text("…")

        page.get_by_role("tab", name="Versions").click()
        page.get_by_role("button", name="Let it serve").click()
        page.get_by_role("dialog").get_by_role("button", name="Let it serve").click()
        expect(page.get_by_role("row").filter(has_text="serves")).to_contain_text("v2")
        assert answered(bare, "adder:default") == [2, 2, 2, 2]

        page.get_by_role("button", name="Roll back to v1").click()
        dialog = page.get_by_role("dialog", name="Roll adder back to version 1?")
        expect(dialog).to_contain_text("Now version 2 answers all who name no version")
        dialog.get_by_role("button", name="Roll back to v1").click()
        expect(page.get_by_role("row").filter(has_text="serves")).to_contain_text("v1")
        assert answered(bare, "adder:default") == [1, 1, 1, 1]
    finally:
        bare.stop()


def test_what_the_server_refuses_is_told_and_nothing_has_changed(
    admin: Callable[..., Page], server: Server, adder: str, tmp_path: Path
) -> None:
    page = admin(expected=("status of 422",))
    page.get_by_role("button", name="Upload a model").click()
    page.get_by_label("Drag a model here").set_input_files(unknown_operator(tmp_path / "odd.onnx"))
    page.get_by_role("button", name="Upload", exact=True).click()
    alert = page.get_by_role("alert").filter(has_text="nothing has changed")
    expect(alert).to_contain_text("NoSuchOp", timeout=CHECKED_MS)
    assert [one["tag"] for one in server.get("/hosted/models").json()] == [adder]
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('atoll-upload'))") == []


def test_an_upload_that_broke_off_goes_on_and_one_that_is_cancelled_is_dropped(
    admin: Callable[..., Page], server: Server, adder: str, tmp_path: Path
) -> None:
    page = admin()
    file = heavy(tmp_path / "large.onnx", 3 * PART_BYTES)
    parts = "**/hosted/uploads/*/parts/*"

    def hold(route: Route) -> None:
        # What comes after the first part never arrives.
        if route.request.url.endswith("/1"):
            route.continue_()

    def begin() -> None:
        page.get_by_role("button", name="Upload a model").click()
        page.get_by_label("Drag a model here").set_input_files(file)
        page.get_by_role("button", name="Upload", exact=True).click()

    page.route(parts, hold)
    with page.expect_request("**/parts/2") as second:
        begin()
    expect(page.get_by_role("status").filter(has_text="It is sent")).to_be_visible()
    page.reload()
    with page.expect_request(parts) as again:
        begin()
    page.wait_for_function("() => document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow') > 0")
    assert again.value.url == second.value.url
    upload_id = second.value.url.split("/")[-3]
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("What was sent is dropped")).to_be_visible()
    assert server.get(f"/hosted/uploads/{upload_id}", headers=AS_ADMIN).status_code == 404


def test_a_trial_gives_a_version_a_share_of_the_requests_until_it_ends(
    admin: Callable[..., Page], server: Server, adder: str
) -> None:
    page = admin(f"{PAGE}?tag={adder}&part=versions")
    page.get_by_role("button", name="Trial").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Share of the requests").fill("25")
    expect(dialog).to_contain_text(
        "Version 2 answers 25% of the requests that name no version, version 1 the other 75%"
    )
    dialog.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("25% candidate (v2)")).to_be_visible()
    traffic = server.get(f"/registry/hosted.{adder}").json()["traffic"]
    assert traffic["weights"] == {"candidate": 0.25, "default": 0.75}
    page.get_by_role("button", name="End the trial").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(page.get_by_text("25% candidate (v2)")).to_have_count(0)
    assert server.get(f"/registry/hosted.{adder}").json()["traffic"] is None


def test_a_version_that_serves_is_not_deleted_and_the_way_is_told(admin: Callable[..., Page], adder: str) -> None:
    page = admin(f"{PAGE}?tag={adder}&part=versions")
    page.get_by_role("button", name="Delete version 1").click()
    expect(page.locator("#toasts")).to_contain_text("Point this alias to another version first")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_who_may_only_ask_sees_nothing_that_changes_anything(visit: Visit, server: Server, adder: str) -> None:
    page = visit(server, f"{PAGE}?tag={adder}&part=versions")
    row = page.get_by_role("row").filter(has_text="v2")
    expect(row.get_by_role("button")).to_have_text(["Compare"])
    for name in ("Upload a model", "New version", "Roll back", f"Describe {adder}", f"Delete {adder}"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.get_by_role("tab", name="Try and compare").click()
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("region", name="Answer by row")).to_be_visible()


def test_rows_are_pasted_sent_as_json_and_refused_where_they_do_not_fit(
    visit: Visit, server: Server, adder: str
) -> None:
    page = visit(server, f"{PAGE}?tag={adder}", expected=("status of 422",))
    cell = page.get_by_label("X[0], row 1")
    cell.evaluate(
        """(cell) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", "1\\t2\\t3\\t4\\n5\\t6\\t7\\tx\\n");
          cell.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }"""
    )
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert").filter(has_text="X[3]: “x” is no number")).to_be_visible()
    page.get_by_label("X[3], row 2").fill("8")
    page.get_by_role("button", name="JSON", exact=True).click()
    values = page.get_by_label("Values as JSON")
    assert json.loads(values.input_value()) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    page.get_by_role("button", name="Ask").click()
    table = page.get_by_role("region", name="Answer by row")
    expect(table.get_by_role("row").last.get_by_role("cell")).to_have_text(["6", "7", "8", "9"])
    page.get_by_role("tab", name="curl").click()
    expect(page.get_by_role("region", name="Request for curl")).to_contain_text(
        f"curl '{server.url}/hosted/models/{adder}/predict'"
    )
    values.fill("[1, 2, 3]")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert").filter(has_text="the model takes 'X' (FP32, shape [-1, 4])")).to_be_visible()


def test_a_model_of_pictures_takes_a_picture(
    admin: Callable[..., Page], server: Server, adder: str, tmp_path: Path
) -> None:
    upload(server, "bright", brightness(tmp_path / "bright.onnx"))
    try:
        page = admin(f"{PAGE}?tag=bright")
        content = io.BytesIO()
        Image.new("RGB", (16, 16), (255, 0, 51)).save(content, "PNG")
        page.get_by_label("Picture", exact=True).set_input_files(
            {"name": "red.png", "mimeType": "image/png", "buffer": content.getvalue()}
        )
        page.get_by_role("button", name="Ask").click()
        row = page.get_by_role("region", name="Answer by row").get_by_role("row").last
        expect(row.get_by_role("cell")).to_have_text(["1", "0", "0.2"])
        page.get_by_role("tab", name="curl").click()
        expect(page.get_by_role("region", name="Request for curl")).to_contain_text("--data-binary @'red.png'")
    finally:
        server.client.delete("/hosted/models/bright", headers=AS_ADMIN)


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_stands_in_the_way_of_people_with_disabilities(
    admin: Callable[..., Page], adder: str, phone: bool, dark: bool
) -> None:
    page = admin(f"{PAGE}?tag={adder}&part=versions", phone=phone, dark=dark)
    expect(page.get_by_role("row").filter(has_text="serves")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Ask both").click()
    expect(page.get_by_role("region", name="Both answers by row")).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0
    page.get_by_role("button", name="Upload a model").click()
    assert violations(page) == []
    assert overflow_px(page) == 0


ONE = [{"name": "X", "type": "FP32", "shape": [-1, 2]}]
LONG = [{"name": "x", "type": "INT64", "shape": [-1]}]
TWO = [{"name": "age", "type": "INT64", "shape": [-1, 1]}, {"name": "city", "type": "BYTES", "shape": [-1, 1]}]


@pytest.fixture(scope="module")
def pure(server: Server) -> str:
    """The address of the functions that make rows of values, and values of rows."""
    (model,) = server.get("/models").json()
    (found,) = [url for url in model["panels"] if url.endswith("/values.js")]
    return str(found)


def test_rows_become_values_that_the_model_takes_and_come_back(visit: Visit, server: Server, pure: str) -> None:
    page = visit(server, "/console/models")
    there_and_back = """async ([address, inputs, rows]) => {
      const pure = await import(address);
      const columns = pure.columnsOf(inputs);
      const values = pure.valuesOf(inputs, columns, rows);
      return [values, pure.rowsOf(inputs, columns, values)];
    }"""
    for inputs, rows, values in (
        (ONE, [[1, 2]], [1, 2]),
        (ONE, [[1, 2], [3, None]], [[1, 2], [3, None]]),
        (LONG, [[1]], [1]),
        (LONG, [[1], [2]], [1, 2]),
        (TWO, [[34, "Apia"]], {"age": 34, "city": "Apia"}),
        (TWO, [[34, "Apia"], [51, "Suva"]], [{"age": 34, "city": "Apia"}, {"age": 51, "city": "Suva"}]),
    ):
        assert page.evaluate(there_and_back, [pure, inputs, rows]) == [values, rows]


def test_the_figures_of_each_output_stand_side_by_side_under_the_names_of_their_classes(
    visit: Visit, server: Server, pure: str
) -> None:
    page = visit(server, "/console/models")
    found = page.evaluate(
        "async ([address, outputs, labels]) => (await import(address)).answerRows(outputs, labels)",
        [pure, {"label": [1, 0], "p": [[0.2, 0.8], [0.9, 0.1]]}, ["no", "yes"]],
    )
    first = [{"label": "label", "value": 1}, {"label": "p no", "value": 0.2}, {"label": "p yes", "value": 0.8}]
    assert found[0] == first
    assert [cell["value"] for cell in found[1]] == [0, 0.9, 0.1]
