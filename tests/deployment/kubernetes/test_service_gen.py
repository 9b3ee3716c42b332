"""`python -m deployment.service_gen`, as people and workflows call it."""

import os
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own
from typer.testing import CliRunner

from common.settings import CHECKOUT
from deployment.service_gen import cli
from tests.deployment.kubernetes.manifests import KUBERNETES, Json, build, name_of, of_kind
from tests.deployment.kubernetes.test_routes import paths_of
from tests.support.k8s_standin import complaints

HOUSING = ("prices", "--model", "models/housing")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the manifests, to change."""
    copy = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    return copy


def run(root: Path, *words: str, status: int = 0) -> str:
    # In this process, where the models are imported once; nobody sits at a terminal here.
    done = CliRunner().invoke(cli, ["--root", str(root), *words])
    assert done.exit_code == status, done.output
    return done.stdout if status == 0 else done.stderr


def contents(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def deployment(root: Path, name: str) -> Json:
    (found,) = [one for one in of_kind(build(root / "base"), "Deployment") if name_of(one) == name]
    return found


def test_a_new_service_has_all_that_a_service_has_and_the_paths_of_its_model_lead_to_it(
    root: Path, tmp_path: Path
) -> None:
    run(root, *HOUSING, "--cpu-request", "100m", "--memory-limit", "512Mi")
    objects = build(root / "overlays" / "local")
    kinds = sorted(
        found["kind"]
        for found in objects
        if found["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == "prices"
    )
    (ingress,) = of_kind(objects, "Ingress")
    assert kinds == ["Deployment", "PodDisruptionBudget", "ScaledJob", "ScaledJob", "ScaledObject", "Service"]
    assert {path for path, service in paths_of(ingress).items() if service == "prices"} == {"/housing", "/lab"}
    assert paths_of(ingress)["/project"] == "atoll"
    assert complaints(objects, tmp_path) == []


def test_a_service_serves_its_models_only_with_what_it_was_given(root: Path) -> None:
    run(
        root,
        *HOUSING,
        "--cpu-request",
        "100m",
        "--cpu-limit",
        "500m",
        "--memory-request",
        "192Mi",
        "--memory-limit",
        "512Mi",
    )
    (one,) = deployment(root, "prices")["spec"]["template"]["spec"]["containers"]
    assert {"name": "SERVICE_MODEL", "value": "housing"} in one["env"]
    assert one["resources"] == {
        "requests": {"cpu": "100m", "memory": "192Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }


def test_workers_of_a_service_take_from_the_queues_that_its_models_send_to(root: Path) -> None:
    run(root, *HOUSING)
    jobs = [found for found in of_kind(build(root / "base"), "ScaledJob") if name_of(found).startswith("prices")]
    queues = [found["spec"]["triggers"][0]["metadata"]["queueName"] for found in jobs]
    assert sorted(queues) == ["prediction-cpu-housing", "training-cpu-housing"]


def test_the_same_wish_twice_changes_nothing(root: Path) -> None:
    run(root, *HOUSING)
    before = contents(root)
    assert run(root, *HOUSING) == "nothing to change\n"
    assert contents(root) == before


def test_a_service_that_is_removed_leaves_no_trace(root: Path) -> None:
    before = contents(root)
    run(root, *HOUSING, "--volume-kind", "blob", "--volume-name", "prices-files")
    assert contents(root) != before
    run(root, "prices", "--remove")
    assert contents(root) == before


def test_a_service_is_changed_only_if_that_is_said(root: Path) -> None:
    run(root, *HOUSING)
    before = contents(root)
    told = run(root, *HOUSING, "--memory-limit", "2Gi", status=1)
    assert "already is a service prices, with another memory_limit" in told
    assert contents(root) == before
    run(root, *HOUSING, "--memory-limit", "2Gi", "--replace")
    assert (
        deployment(root, "prices")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
        == "2Gi"
    )


def test_a_volume_of_its_own_is_claimed_and_mounted(root: Path) -> None:
    run(root, *HOUSING, "--volume-kind", "blob", "--volume-name", "prices-files")
    objects = build(root / "base")
    (claim,) = [found for found in of_kind(objects, "PersistentVolumeClaim") if name_of(found) == "prices-files"]
    volumes = deployment(root, "prices")["spec"]["template"]["spec"]["volumes"]
    assert claim["spec"]["storageClassName"] == "atoll-blob"
    assert {"name": "share", "persistentVolumeClaim": {"claimName": "prices-files"}} in volumes


def test_without_a_volume_nothing_is_mounted_and_no_share_is_set(root: Path) -> None:
    run(root, *HOUSING, "--no-volume")
    pod = deployment(root, "prices")["spec"]["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"]] == ["secrets", "tmp", "state"]
    assert "FILE_SHARE" not in [entry["name"] for entry in pod["containers"][0]["env"]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("prices", "--model", "models/cheese"), "there is no model 'cheese'; there are countries, hosted"),
        (("Prices!", "--model", "housing"), "cannot be a service's name"),
        (("redis-service", "--model", "housing"), "is the name of something else"),
        (("atoll", "--model", "housing"), "choose another name"),
        (("prices",), "model folder is missing"),
        ((), "name of the service is missing"),
        ((*HOUSING, "--memory-limit", "2G"), "'2G' is no amount of memory"),
        ((*HOUSING, "--cpu-request", "2"), "is over its limit"),
        ((*HOUSING, "--volume-kind", "tape"), "file or blob, not 'tape'"),
        ((*HOUSING, "--no-volume", "--volume-name", "x"), "leave one of them out"),
        (("prices", "--remove"), "there is no service 'prices'"),
        (("atoll", "--remove"), "it cannot be removed"),
        (("prices", "--remove", "--model", "housing"), "and nothing else"),
    ],
)
def test_what_cannot_be_followed_is_said_and_changes_nothing(root: Path, words: tuple[str, ...], told: str) -> None:
    before = contents(root)
    assert told in run(root, *words, status=1)
    assert contents(root) == before


def test_a_model_that_is_named_twice_is_served_once(root: Path) -> None:
    run(root, *HOUSING, "--model", "housing,sentiment")
    assert "prices\thousing, sentiment" in run(root, "--list")


def test_a_model_has_one_service_only(root: Path) -> None:
    run(root, *HOUSING)
    assert "there already is prices, which serves model housing" in run(root, "other", "--model", "housing", status=1)


def test_a_list_that_nobody_can_read_is_said(root: Path) -> None:
    (root / "services.yaml").write_text("services: [{name: x, colour: red}]")
    assert "is no service" in run(root, "--list", status=1)


def test_a_file_that_somebody_else_put_there_stays(root: Path) -> None:
    mine = root / "services" / "mine.yaml"
    mine.write_text("# mine\n")
    run(root, "--sync")
    assert mine.read_text() == "# mine\n"


@pytest.fixture
def terminal(root: Path) -> Callable[[list[str]], str]:
    """Answers the questions of the program at a terminal, and returns what it said."""

    def talk(answers: list[str]) -> str:
        # A real terminal: one end is the program's, the other ours.
        ours, theirs = os.openpty()
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        command = [sys.executable, "-m", "deployment.service_gen", "--root", str(root)]
        with subprocess.Popen(command, cwd=CHECKOUT, stdin=theirs, stdout=subprocess.PIPE, text=True) as process:
            os.close(theirs)
            os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
            told, _ = process.communicate(timeout=120)
        os.close(ours)
        assert process.returncode == 0, told
        return told

    return talk


def test_somebody_at_a_terminal_is_asked(root: Path, terminal: Callable[[list[str]], str]) -> None:
    told = terminal(["prices", "models/housing", "y", "blob", "prices-files", "100m", "1", "192Mi", "1Gi"])
    asked = re.findall(r"(Shared volume|File or blob|Volume name|CPU request|memory limit)", told)
    assert asked == ["Shared volume", "File or blob", "Volume name", "CPU request", "memory limit"]
    listed = yaml.safe_load((root / "services.yaml").read_text())["services"][-1]
    assert listed == {
        "name": "prices",
        "models": ["housing"],
        "volume": {"kind": "blob", "name": "prices-files"},
        "cpu_request": "100m",
        "cpu_limit": "1",
        "memory_request": "192Mi",
        "memory_limit": "1Gi",
    }


def test_an_answer_that_cannot_be_followed_is_asked_for_again_with_the_reason(
    root: Path, terminal: Callable[[list[str]], str]
) -> None:
    wrong_then_right = ["Prices!", "prices", "cheese", "housing", "y", "tape", "blob", "Files", "", "lots", "", "", ""]
    told = terminal([*wrong_then_right, "2G", "2Gi"])
    reasons = re.findall(r"^.*?Error: (.*)$", told, re.MULTILINE)
    assert [reason[:24] for reason in reasons] == [
        "'Prices!' cannot be a se",
        "there is no model 'chees",
        "a volume is of kind file",
        "'Files' cannot be a volu",
        "'lots' is no amount of C",
        "'2G' is no amount of mem",
    ]
    listed = yaml.safe_load((root / "services.yaml").read_text())["services"][-1]
    assert listed["volume"] == {"kind": "blob", "name": "prices-files"}
    assert (listed["cpu_request"], listed["memory_limit"]) == ("250m", "2Gi")
