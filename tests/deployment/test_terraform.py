"""Terraform's files, by the real terraform and the schema of its provider; the provider itself is a stand-in."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from common.jobs.queues.base import POISON
from common.jobs.queues.names import queue_names
from common.settings import Settings
from common.settings.jobs import JobSettings
from common.settings.plugins import PluginSettings
from tests.deployment.kubernetes.manifests import containers, name_of, of_kind, overlay, templates, variables
from tests.support.backends import missing

CHECKOUT = Path(__file__).resolve().parents[2]
TERRAFORM = CHECKOUT / "terraform"
CHECK = CHECKOUT.parent / "shared" / "lab" / "terraform" / "check.sh"
# On a machine that is busy with other tests.
CHECK_S = 900

Plan = dict[str, Any]


def needed() -> None:
    if not CHECK.is_file():
        pytest.skip("the stand-in for Terraform's provider is not in ../shared/lab/terraform")
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed, and comes with no package registry: its files were not checked")


def checked(check: str, *tools: str) -> None:
    """Run a check of `make check-deploy`, which has put its tools beside `.venv`."""
    path = f"{os.environ.get('PATH', os.defpath)}:{CHECKOUT / '.venv' / 'check-deploy' / 'bin'}"
    for tool in tools:
        if not shutil.which(tool, path=path):
            missing(f"{tool} is not installed; `make check-deploy` brings it")
    done = subprocess.run(
        [sys.executable, "-m", "deployment.check", check],
        env=os.environ | {"PATH": path},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=CHECK_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def check(folder: Path, plan: Path) -> None:
    """Format, validity, tests and a plan; the plan is written to a file."""
    environment = os.environ | {"LAB_TF_PLAN_JSON": str(plan)}
    found = subprocess.run(
        ["bash", str(CHECK), str(folder)], capture_output=True, text=True, timeout=CHECK_S, env=environment, check=False
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-6000:]


def resources(module: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [it for child in module.get("child_modules", []) for it in resources(child)]
    return [*module.get("resources", []), *inner]


def names(plan: Plan, kind: str) -> set[str]:
    found = resources(plan["planned_values"]["root_module"])
    return {it["values"]["name"] for it in found if it["type"] == kind}


def planned(factory: pytest.TempPathFactory, name: str, more: str = "", *left_out: str) -> Plan:
    """What would be made of a copy of the files with `more` in ci.tfvars: made once, by one of the tests' processes."""
    needed()
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / f"terraform-{name}"
    with (shared / f"terraform-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "plan.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            # The rules are read from beside the folder.
            shutil.copytree(CHECKOUT / "deployment" / "prometheus", folder / "deployment" / "prometheus")
            copy = folder / "terraform"
            leave = shutil.ignore_patterns(".terraform*", "lab_backend_override.tf", "*.tfvars.json", *left_out)
            shutil.copytree(TERRAFORM, copy, ignore=leave)
            given = (copy / "ci.tfvars").read_text()
            for name in re.findall(r"^(\w+) +=", more, re.MULTILINE):
                given = re.sub(rf"^{name} +=.*\n", "", given, flags=re.MULTILINE)
            (copy / "ci.tfvars").write_text(given + more)
            subprocess.run(["terraform", "fmt", str(copy / "ci.tfvars")], check=True, capture_output=True)
            check(copy, folder / "plan.json")
    found: Plan = json.loads((folder / "plan.json").read_text())
    return found


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """What would be made with `ci.tfvars`, after `terraform/tests` have passed."""
    return planned(tmp_path_factory, "whole")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[str]], Plan]:
    """What would be made for processes that serve some models only; the files' own tests have passed by then."""
    served = [["sentiment"], ["imputation", "Housing.v2"], [f"model_{number}" for number in range(12)]]
    more = f"\nstorage = {{\n  services = {json.dumps(served)}\n}}\n"
    return served, planned(tmp_path_factory, "services", more, "tests")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """What would be made for a cluster and functions that share their work."""
    return planned(tmp_path_factory, "both", '\nhosts = ["cluster", "functions"]\n', "tests")


def queues(*served: str) -> set[str]:
    """The queues, and poison queues, of workers of both classes that serve some models, or all."""
    settings = Settings(
        jobs=JobSettings(worker_classes=("cpu", "train")),
        plugins=PluginSettings(service_model=served),
    )
    return {name + end for name in queue_names(settings) for end in ("", POISON)}


def test_the_queues_are_those_that_atoll_reads(plan: Plan) -> None:
    assert names(plan, "azurerm_storage_queue") == queues()


def test_processes_that_serve_some_models_find_their_queues(services: tuple[list[list[str]], Plan]) -> None:
    served, found = services
    assert names(found, "azurerm_storage_queue") == set[str]().union(*(queues(*models) for models in served))


def test_no_resource_of_the_plan_opens_storage_to_keys_or_strangers(plan: Plan) -> None:
    accounts = [
        it["values"]
        for it in resources(plan["planned_values"]["root_module"])
        if it["type"] == "azurerm_storage_account"
    ]
    assert accounts
    for account in accounts:
        assert account["shared_access_key_enabled"] is False
        assert account["allow_nested_items_to_be_public"] is False
        assert account["network_rules"][0]["default_action"] == "Deny"


def test_every_resource_that_can_be_tagged_says_what_it_belongs_to(plan: Plan) -> None:
    for it in resources(plan["planned_values"]["root_module"]):
        if "tags" in it["values"]:
            assert it["values"]["tags"]["installation"] == "atollci", it["address"]


def test_the_alert_rules_of_prometheus_are_part_of_the_plan(plan: Plan) -> None:
    rules = CHECKOUT / "deployment" / "prometheus" / "rules.yml"
    groups = re.findall(r"^  - name: (\S+)$", rules.read_text(), re.MULTILINE)
    assert groups
    assert names(plan, "azurerm_monitor_alert_prometheus_rule_group") == {f"atollci-{name}" for name in groups}


def told(plan: Plan, name: str) -> dict[str, Any]:
    """An output; None where Azure has the last word."""
    change = plan["output_changes"][name]
    unknown = {key: None for key, value in change["after_unknown"].items() if value is True}
    found: dict[str, Any] = change["after"] | unknown
    return found


def test_manifests_are_told_what_they_ask_for(plan: Plan) -> None:
    file = CHECKOUT / "deployment" / "kubernetes" / "components" / "azure" / "azure.env"
    asked = re.findall(r"^([A-Z_]+)=", file.read_text(), re.MULTILINE)
    assert sorted(told(plan, "azure")) == sorted(asked)


def test_workflows_are_told_what_they_ask_for_and_nothing_else(plan: Plan) -> None:
    texts = [path.read_text() for path in (CHECKOUT / ".github" / "workflows").glob("deploy-*.yml")]
    asked = {name for text in texts for name in re.findall(r"\bvars\.([A-Z_]+)", text)}
    assert set(told(plan, "workflows")) <= asked
    # Of a function app, of which this plan has none.
    by_terraform = set(told(plan, "workflows")) | {"FUNCTION_APP"}
    page = (CHECKOUT / "docs" / "github-actions.md").read_text()
    assert {name for name in asked - by_terraform if f"`{name}`" not in page and f" {name} " not in page} == set()


def test_the_overlay_agrees_with_what_the_cluster_has(plan: Plan) -> None:
    cluster, objects = told(plan, "cluster"), overlay("aks")
    of_atoll = [found for found in objects if found["kind"] in ("ScaledJob", "Deployment")]
    assert {found["metadata"]["namespace"] for found in of_atoll} == {cluster["namespace"]}
    assert cluster["service_accounts"] == [name_of(found) for found in of_kind(objects, "ServiceAccount")]
    assert [found["spec"]["ingressClassName"] for found in of_kind(objects, "Ingress")] == [cluster["ingress_class"]]
    read = {found["spec"]["triggers"][0]["metadata"]["queueName"] for found in of_kind(objects, "ScaledJob")}
    assert read <= set(cluster["queues"])
    (vault,) = of_kind(objects, "SecretProviderClass")
    mounted = set(re.findall(r"objectName: (\S+)", vault["spec"]["parameters"]["objects"]))
    # Of Redis in components/azure-redis.
    assert mounted == set(cluster["secrets"].values()) - {"redis-url"}
    shares = {variables(one).get("FILE_SHARE") for _, pod in templates(objects) for one in containers(pod)}
    assert cluster["settings"]["FILE_SHARE"] in shares


def test_cluster_and_functions_together_have_one_share_which_nobody_mounts(both: Plan) -> None:
    found = resources(both["planned_values"]["root_module"])
    accounts = [it["values"]["account_kind"] for it in found if it["type"] == "azurerm_storage_account"]
    shares = [it["values"]["enabled_protocol"] for it in found if it["type"] == "azurerm_storage_share"]
    assert (accounts, shares) == (["StorageV2"], ["SMB"])
    (app,) = (it["values"] for it in found if it["type"] == "azurerm_function_app_flex_consumption")
    address = told(both, "cluster")["share"]["address"]
    assert address.startswith("https://")
    assert address == app["app_settings"]["FILE_SHARE"] == told(both, "cluster")["settings"]["FILE_SHARE"]


def test_the_package_for_functions_can_log_in_without_a_key(both: Plan) -> None:
    found = resources(both["planned_values"]["root_module"])
    (app,) = (it["values"]["app_settings"] for it in found if it["type"] == "azurerm_function_app_flex_consumption")
    assert app["AzureWebJobsStorage__credential"] == "managedidentity"
    assert re.search(r"^azure-identity==", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE)


def test_every_variable_and_output_is_described() -> None:
    for file in TERRAFORM.rglob("*.tf"):
        blocks = re.findall(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', file.read_text(), re.MULTILINE | re.DOTALL)
        for name, body in blocks:
            assert re.search(r"^  description\s*=", body, re.MULTILINE), f"{file.name}: {name}"


def test_every_check_that_is_left_out_has_a_reason() -> None:
    lines = [line for line in (TERRAFORM / ".checkov.yaml").read_text().splitlines() if "CKV" in line]
    assert lines
    for line in lines:
        assert re.fullmatch(r"  - CKV2?_AZURE_\d+\s+# .{20,}", line), line


def test_checkov_finds_nothing_but_what_is_accepted_and_all_of_that() -> None:
    checked("Terraform, by checkov", "checkov")


def test_a_mistake_in_a_file_is_found(tmp_path: Path) -> None:
    needed()
    (tmp_path / "main.tf").write_text(
        textwrap.dedent(
            """\
            terraform {
              required_providers {
                azurerm = {
                  source = "hashicorp/azurerm"
                }
              }
            }

            provider "azurerm" {
              features {}
            }

            resource "azurerm_resource_group" "this" {
              name    = "rg-x"
              locaton = "westeurope"
            }
            """
        )
    )
    with pytest.raises(AssertionError, match="locaton"):
        check(tmp_path, tmp_path / "plan.json")
