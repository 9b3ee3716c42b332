"""Pictures of the console for the docs: `make pictures` writes `docs/images/console-*.webp`, light and dark.

A server with sample data is started and given some work, so that the pages have something to show.
"""

import argparse
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.console.conftest import PHONE, WIDE
from tests.support.chromium import ARGUMENTS, program
from tests.support.onnx_models import add
from tests.support.servers import CHECKOUT, Server, wait_for

FOLDER = CHECKOUT / "docs" / "images"
# Small enough for a checkout, and letters stay sharp.
QUALITY = 82

PROGRAM = b"""import json, os, pathlib
wanted = json.load(open(os.environ["ATOLL_PARAMS"]))
for tree in range(1, wanted["n_estimators"] + 1):
    print(f"tree {tree} of {wanted['n_estimators']}: error {1.9 / tree ** 0.5:.3f}", flush=True)
pathlib.Path(os.environ["ATOLL_OUTPUT_DIR"], "forest.json").write_text("{}")
"""
COUNTRIES = b"""country,2018,2019,2020,2021
FJI,71.2,,73.9,74.1
TUV,,,61.0,
WSM,68.0,68.9,,
TON,70.1,70.4,70.9,71.2
KIR,,59.9,,
"""


@dataclass(frozen=True)
class View:
    """A picture to take.

    Parameters
    ----------
    name : of the file, `console-NAME-light.webp`.
    path : what is opened.
    act : what is done there before.
    phone : in a window of 360 pixels.
    busy_s : for how long requests come in before; figures and sparklines tell of them.
    """

    name: str
    path: str
    act: Callable[[Page], object] = field(default=lambda page: None)
    phone: bool = False
    busy_s: float = 0


def pressed(page: Page) -> None:
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("tab", name="JSON").wait_for()
    page.evaluate("scrollTo(0, 0)")


def typed(page: Page) -> None:
    box = page.get_by_role("textbox").first
    for text in ("A warm, funny film with a wonderful cast.", "The delivery took three weeks."):
        box.fill(text)
        page.wait_for_timeout(1000)
        box.press("Enter")
    box.fill("Slow at first, but I loved the ending")


def asked(page: Page) -> None:
    page.get_by_label("Compare with").select_option("2")
    page.get_by_role("button", name="Ask").click()


def filled(body: dict[str, object]) -> str:
    """The part of a model page's address that fills its form."""
    return "#in=" + quote(json.dumps({"body": body}))


DISTRICT: dict[str, float] = {
    "MedInc": 3.6,
    "HouseAge": 29,
    "AveRooms": 5.2,
    "AveBedrms": 1.05,
    "Population": 1148,
    "AveOccup": 2.8,
    "Latitude": 34.26,
    "Longitude": -118.53,
}
GAPS: dict[str, object] = {
    "target_year": "2010",
    "target": "dev-schooling.years",
    "scheme": "AFS",
    "number_predictor": 5,
    "estimators": 50,
}


def views(job: str, task: str) -> Iterator[View]:
    yield View("overview", "/console", busy_s=40)
    yield View("overview-phone", "/console", phone=True, busy_s=10)
    yield View("models", "/console/models")
    yield View("model", "/console/models/sample" + filled({"requiredField": "Atoll"}), pressed)
    yield View("imputation", "/console/models/imputation" + filled(GAPS), pressed)
    yield View("sentiment", "/console/models/sentiment", typed)
    yield View("housing", "/console/models/housing")
    yield View("scaleout", "/console/models/scaleout")
    yield View("hosted", "/console/models/hosted", asked)
    yield View("jobs", "/console/jobs")
    yield View("job", f"/console/jobs/{job}")
    yield View("tasks", "/console/tasks")
    yield View("task", f"/console/tasks/{task}")
    yield View("new-task", "/console/tasks/new")
    yield View("clusters", "/console/clusters")
    yield View("data", "/console/data")
    yield View("settings", "/console/settings")
    yield View("sign-in", "/console/sign-in")
    yield View("help", "/console/help/")


@contextmanager
def asked_meanwhile(server: Server) -> Iterator[None]:
    """Requests as a small team sends them, so that figures and sparklines have something to tell."""
    body = {"requiredField": "Atoll"}
    texts = ("I love this", "I hate this", "What a day", "Not for me", "It works as promised")
    is_over = threading.Event()

    def ask() -> None:
        for turn in itertools.count():
            if is_over.wait(0.15 + 0.1 * (turn % 3)):
                return
            server.post("/sentiment/predict", json={"text": [texts[turn % len(texts)]]})
            server.post("/sample_model/predict", json=body)
            if turn % 4 == 0:
                server.post("/housing/predict", json=DISTRICT | {"MedInc": 2 + turn % 7})
            if turn % 8 == 0:
                server.post("/imputation/predict", json=GAPS | {"seed": turn})

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def work(server: Server) -> tuple[str, str]:
    """Have a training and a task done, requests answered, and files kept. Tells the job and the task."""
    server.client.put("/datasets/islands/life-expectancy.csv", content=COUNTRIES)
    task = server.post(
        "/tasks",
        files={
            "config": ("config.json", json.dumps({"name": "forest", "model_params": {"n_estimators": 12}})),
            "program": ("forest.py", PROGRAM),
        },
    ).json()["id"]
    training = {"x": [0, 1, 2, 3, 4, 5], "y": [1, 3.2, 4.8, 7.1, 9, 11.2], "trials": 20}
    job = server.post("/sample_model/train", json=training).json()["id"]
    for version in (1, 2):
        with add(server.log_file.with_name(f"iris-{version}.onnx"), version).open("rb") as content:
            server.post("/hosted/models/iris", files={"path": ("iris.onnx", content)})
    demo = [sys.executable, "-m", "common.cli", "scaleout", "demo", "--no-train", "--url", server.url]
    subprocess.run(demo, cwd=server.log_file.parent, check=True, stdout=subprocess.DEVNULL, env=with_checkout())
    server.post("/imputation/predict", json=GAPS, headers={"Prefer": "respond-async"})
    for text in ("I love this", "I hate this", "What a day"):
        for _ in range(3):
            server.post("/sentiment/predict", json={"text": [text]})
    wait_for(lambda: server.get(f"/jobs/{job}").json()["state"] == "succeeded", "the training")
    wait_for(lambda: server.get(f"/tasks/{task}/files").json()["complete"], "the task")
    return job, task


def with_checkout() -> dict[str, str]:
    return dict(os.environ, PYTHONPATH=str(CHECKOUT))


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
        yield browser
        browser.close()


def take(browser: Browser, server: Server, view: View, *, dark: bool, folder: Path) -> None:
    size = PHONE if view.phone else WIDE
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # a TypedDict of the library
    page = context.new_page()
    with asked_meanwhile(server) if view.busy_s else nullcontext():
        page.goto(server.url + view.path)
        page.wait_for_load_state("networkidle")
        view.act(page)
        # Charts are drawn in steps.
        page.wait_for_timeout(1000 * view.busy_s + 1500)
    image = Image.open(io.BytesIO(page.screenshot()))
    image.save(folder / f"console-{view.name}-{scheme}.webp", quality=QUALITY, method=6)
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="names of the pictures to take; all without any")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they are written")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, chromium() as browser:
        server = Server(Path(state))
        try:
            for view in views(*work(server)):
                if not options.only or view.name in options.only:
                    for dark in (False, True):
                        take(browser, server, view, dark=dark, folder=options.folder)
                    sys.stdout.write(f"{view.name}\n")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
