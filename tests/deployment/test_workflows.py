"""Workflows: what one sees when it is too late. `../shared/lab` has the checkers; GitHub itself runs nothing here."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.conformance.deployment import READERS
from tests.support.servers import CHECKOUT

WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((CHECKOUT / ".github" / "actions").glob("*/action.yml"))
CHECKER = CHECKOUT.parent / "shared" / "lab" / "actions" / "check.sh"


def workflow(path: Path) -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return read


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in workflow(path)["jobs"].items():
            yield f"{path.stem}/{name}", job


@pytest.mark.skipif(not CHECKER.exists(), reason="the checkers of workflows are not in ../shared/lab/actions")
def test_the_checkers_find_nothing() -> None:
    done = subprocess.run([CHECKER, *WORKFLOWS, *ACTIONS], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_each_action_of_others_is_pinned_to_a_commit_and_names_its_version(path: Path) -> None:
    used = re.findall(r"uses: +(.+)", path.read_text(encoding="utf-8"))
    foreign = [line for line in used if not line.startswith("./")]
    assert [line for line in foreign if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_one_action_has_one_version_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for path in [*WORKFLOWS, *ACTIONS]:
        for name, pin in re.findall(r"uses: +([\w.-]+/[\w.-]+)@(.+)", path.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(pin)
    assert {name: pins for name, pins in found.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_rights_but_those_of_its_jobs(path: Path) -> None:
    assert workflow(path)["permissions"] == {}


def test_no_job_may_write_to_the_repository() -> None:
    rights = {name: set(job["permissions"].items()) for name, job in jobs()}
    assert {name for name, given in rights.items() if given - {("contents", "read"), ("id-token", "write")}} == set()


def test_only_jobs_of_an_environment_sign_in_to_azure() -> None:
    signing = {name: job for name, job in jobs() if job["permissions"].get("id-token") == "write"}
    free = {name for name, job in signing.items() if "environment" not in job and "uses" not in job}
    assert signing
    assert free == set()


def test_a_plan_which_any_branch_may_run_is_told_no_password() -> None:
    found = workflow(CHECKOUT / ".github/workflows/terraform.yml")["jobs"]
    assert set(re.findall(r"secrets\.(\w+)", str(found["apply"]))) == {"AZURE_CREDENTIALS", "DATABASE_PASSWORD"}
    assert set(re.findall(r"secrets\.(\w+)", str(found["plan"]))) == {"AZURE_CREDENTIALS"}


def test_terraform_goes_first_in_each_deployment() -> None:
    for name, last in (("deploy-aks", "rollout"), ("deploy-functions", "publish")):
        found = workflow(CHECKOUT / f".github/workflows/{name}.yml")["jobs"]
        assert found["infrastructure"]["uses"] == "./.github/workflows/terraform.yml"
        assert "infrastructure" in found[last]["needs"]


def test_a_deployment_is_never_broken_off_in_the_middle() -> None:
    for name in ("deploy-aks", "deploy-functions"):
        assert workflow(CHECKOUT / f".github/workflows/{name}.yml")["concurrency"]["cancel-in-progress"] is False
    apply = workflow(CHECKOUT / ".github/workflows/terraform.yml")["jobs"]["apply"]
    assert apply["concurrency"]["cancel-in-progress"] is False


def test_all_supported_pythons_are_tested() -> None:
    test = workflow(CHECKOUT / ".github/workflows/ci.yml")["jobs"]["test"]
    assert test["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert test["steps"][-1]["run"] == ".ci/run"


def test_conformance_with_the_functions_worker_has_a_job_on_python_313() -> None:
    job = workflow(CHECKOUT / ".github/workflows/ci.yml")["jobs"]["conformance"]
    python = next(step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {}))
    (found,) = re.findall(r"tests/\S+?(?=\")", job["steps"][-1]["run"])
    assert python == "3.13"
    assert (CHECKOUT / found / "test_worker_library.py").is_file()


def test_wherever_all_tests_run_there_is_a_python_for_the_library_of_the_functions_worker() -> None:
    test = workflow(CHECKOUT / ".github/workflows/ci.yml")["jobs"]["test"]
    given = next(step["with"]["python-version"] for step in test["steps"] if "python-version" in step.get("with", {}))
    assert given.split("\n")[:2] == ["3.13", "${{ matrix.python }}"]


@pytest.mark.parametrize("reader", READERS)
def test_the_package_for_functions_has_what_the_host_would_publish(reader: str) -> None:
    ignored = READERS[reader]()
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    text = (CHECKOUT / ".github/workflows/deploy-functions.yml").read_text(encoding="utf-8")
    found = re.search(r"git archive HEAD (.+?) \|", text)
    assert found
    assert set(found.group(1).split()) == {
        Path(name).parts[0] for name in listed.stdout.splitlines() if not ignored(name)
    }


def test_each_variable_and_secret_is_explained() -> None:
    page = (CHECKOUT / "docs" / "github-actions.md").read_text(encoding="utf-8")
    used = {
        name
        for path in WORKFLOWS
        for name in re.findall(r"\b(?:vars|secrets)\.([A-Z_]+)", path.read_text(encoding="utf-8"))
    }
    by_terraform = set(re.findall(r"\b([A-Z_]+) += ", (CHECKOUT / "terraform/outputs.tf").read_text()))
    assert "AZURE_CREDENTIALS" in used
    assert {name for name in used - by_terraform if f"`{name}`" not in page and f" {name} " not in page} == set()
