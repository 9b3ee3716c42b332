"""`atoll models pull sentiment`, as people run it, and what is served of it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.sentiment.classifier import BOX, FILES, Classifier
from tests.support.clients import Client
from tests.support.hugging_face import COMMIT, HubStandIn, make_classifier
from tests.support.plugins import make_app
from tests.support.servers import CHECKOUT, Server, environment, wait_for

Pull = Callable[..., tuple[int, str, str]]
TEXTS = ["I love this", "I hate this", "it is so good that I love it more", "不好"]


@pytest.fixture
def pull(tmp_path: Path) -> Pull:
    """Exit code, standard output, standard error of a pull that registers in `state`."""

    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "common.cli", "models", "pull", "sentiment", *arguments],
            cwd=CHECKOUT,
            env=environment(tmp_path / "state", {"COLUMNS": "300"}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def answers(client: Client | Server) -> tuple[str, dict[str, float]]:
    """Which version answered, and the score of POSITIVE of each text."""
    got = client.post("/sentiment/predict", json={"text": TEXTS})
    assert got.status_code == 200, got.text
    scores = [{one["label"]: one["score"] for one in item} for item in got.json()["predictions"]]
    return got.headers["x-model-version"], dict(zip(TEXTS, (one["POSITIVE"] for one in scores), strict=True))


def test_a_pulled_model_is_checked_registered_and_served(pull: Pull, folder: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    code, out, err = pull("--from", str(folder), "--sha256", f"model.safetensors={digest}")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["version"], told["alias"]) == (1, "default")
    assert told["hashes checked"] == ["model.safetensors"]
    assert told["scores apart, most"] <= 0.1
    assert {"accuracy", "accuracy, original", "scores apart, mean"} <= set(told)
    assert pull("--from", str(folder), "--into", str(tmp_path / "out"))[0] == 0
    version, found = answers(Client(make_app(tmp_path / "state", serve=("sentiment",))))
    assert version == "1"
    own = Classifier.open(tmp_path / "out")
    assert [found[text] for text in TEXTS] == pytest.approx(own.classify(TEXTS)[:, 1].tolist(), abs=1e-4)


def test_a_new_version_takes_over_while_the_process_runs(pull: Pull, folder: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "state", env={"SERVICE_MODEL": "sentiment", "ATOLL_ROLES": "http"})
    try:
        version, box = answers(server)
        assert version == "box"
        # The registry comes into being while the process serves.
        assert pull("--from", str(folder))[0] == 0
        wait_for(lambda: answers(server)[0] == "1", "the first version")
        first = answers(server)[1]
        assert first != box
        assert pull("--from", str(make_classifier(tmp_path / "other", seed=1)))[0] == 0
        wait_for(lambda: answers(server)[0] == "2", "the second version")
        # Nothing that another version said was kept for this one.
        assert answers(server)[1] != first
    finally:
        server.stop()


def test_a_version_under_another_alias_does_not_serve(pull: Pull, folder: Path, tmp_path: Path) -> None:
    code, out, _ = pull("--from", str(folder), "--alias", "candidate")
    assert (code, json.loads(out)["alias"]) == (0, "candidate")
    assert answers(Client(make_app(tmp_path / "state", serve=("sentiment",))))[0] == "box"


def test_a_folder_for_an_image_is_all_that_serving_needs(pull: Pull, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "baked"
    code, told, _ = pull("--from", str(folder), "--into", str(out))
    assert code == 0
    assert json.loads(told)["written to"] == str(out)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert not (tmp_path / "state" / "atoll.db").exists()
    assert Classifier.open(out).card["source"]["files"].keys() >= {"config.json", "model.safetensors", "vocab.txt"}


def test_a_model_of_the_hub_is_pulled_at_its_commit(pull: Pull, folder: Path) -> None:
    standin = HubStandIn(folder)
    try:
        code, out, err = pull("--from", "somebody/tiny", "--base-url", standin.url, "--revision", COMMIT)
    finally:
        standin.close()
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["commit"] == COMMIT
    assert "model.safetensors" in told["hashes checked"]


def test_a_file_that_is_not_the_one_meant_is_refused(pull: Pull, folder: Path) -> None:
    code, out, err = pull("--from", str(folder), "--sha256", f"config.json={'0' * 64}")
    assert (code, out) == (1, "")
    assert err.startswith("atoll: config.json: its SHA-256 is ")


def test_a_list_of_hashes_in_the_folder_counts(pull: Pull, folder: Path) -> None:
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  vocab.txt\n")
    code, _, err = pull("--from", str(folder))
    assert code == 1
    assert "vocab.txt: its SHA-256" in err
    assert "SHA256SUMS says 000" in err


def test_a_model_too_far_from_its_original_is_refused_with_figures(pull: Pull, folder: Path, tmp_path: Path) -> None:
    code, _, err = pull("--from", str(folder), "--max-difference", "0.0000001")
    assert code == 1
    assert "too far from the original" in err
    assert "accuracy" in err
    assert not (tmp_path / "state" / "atoll.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--from", "./nowhere"), 1, "neither a folder nor an id of the hub"),
        (("--from", str(BOX)), 1, "config.json: missing"),
        (("--sha256", "config.json"), 2, "is not FILE=SHA256"),
        (("--base-url", "ftp://x"), 2, "begins with http"),
        (("--sample", "/dev/null"), 1, "texts; give"),
        (("--bits", "4"), 2, "--bits"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(pull: Pull, arguments: tuple[str, ...], code: int, told: str) -> None:
    found, out, err = pull(*arguments)
    assert (found, out) == (code, "")
    assert told in " ".join(err.split())
    assert "Traceback" not in err


def test_a_sample_of_ones_own_is_compared_on(pull: Pull, folder: Path, tmp_path: Path) -> None:
    sample = tmp_path / "mine.tsv"
    sample.write_text("label\tsentence\n" + "".join(f"{number % 4 // 2}\ttext {number}\n" for number in range(12)))
    code, out, _ = pull("--from", str(folder), "--sample", str(sample))
    assert code == 0
    assert json.loads(out)["texts compared"] == 6


def test_help_shows_how_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "common.cli", "models", "pull", "--help"],
        cwd=CHECKOUT,
        env={**os.environ, "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "atoll models pull sentiment --from ./my-distilbert" in done.stdout
    assert "HUB_ID|DIR" in done.stdout


def test_the_models_found_here_are_listed_as_before(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "common.cli", "models"],
        cwd=CHECKOUT,
        env=environment(tmp_path / "state", {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "sentiment" in done.stdout
