"""What is deployed, and what the host is told about it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.deployment import READERS, Matcher
from tests.conformance.environment import CHECKOUT


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((CHECKOUT / name).read_text())
    return content


@pytest.fixture(params=READERS)
def ignored(request: pytest.FixtureRequest) -> Matcher:
    return READERS[request.param]()


@pytest.mark.parametrize(
    "path", ["function_app.py", "host.json", "requirements.txt", "common/app.py", "models/sample/__init__.py"]
)
def test_what_the_app_needs_is_deployed(ignored: Matcher, path: str) -> None:
    assert not ignored(path)


def test_only_the_app_is_deployed(ignored: Matcher) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    deployed = {Path(name).parts[0] for name in listed.stdout.splitlines() if not ignored(name)}
    # The version is read from pyproject.toml.
    assert deployed == {"common", "function_app.py", "host.json", "models", "pyproject.toml", "requirements.txt"}


@pytest.mark.parametrize(
    "path",
    [
        ".atoll/atoll.db",
        ".env",
        ".env.local",
        ".git/config",
        ".github/workflows/ci.yml",
        ".mypy_cache/x",
        ".venv/bin/python",
        "__azurite_db_queue__.json",
        "__pycache__/function_app.cpython-311.pyc",
        "benchmarks/imputation.py",
        "common/__pycache__/app.cpython-311.pyc",
        "datasets/x.csv",
        "deployment/Dockerfile",
        "docs/index.md",
        "local.settings.json",
        "requirements-dev.txt",
        "terraform/main.tf",
        "tests/conftest.py",
    ],
)
def test_what_is_private_or_for_development_stays_behind(ignored: Matcher, path: str) -> None:
    assert ignored(path)


def test_routes_have_no_prefix_of_the_host() -> None:
    assert read("host.json")["extensions"]["http"]["routePrefix"] == ""


def test_a_function_may_run_as_long_as_a_consumption_plan_allows() -> None:
    assert read("host.json")["functionTimeout"] == "00:10:00"


def test_a_worker_takes_one_message_at_a_time() -> None:
    host = read("host.json")
    queues = host["extensions"]["queues"]
    # With dynamic concurrency the host would not read the batch size.
    assert not host["concurrency"]["dynamicConcurrencyEnabled"]
    assert (queues["batchSize"], queues["newBatchThreshold"]) == (1, 0)


def test_requests_are_never_sampled_away() -> None:
    sampling = read("host.json")["logging"]["applicationInsights"]["samplingSettings"]
    assert sampling == {"isEnabled": True, "excludedTypes": "Request"}


def test_the_example_settings_run_on_a_laptop() -> None:
    settings = read("local.settings.example.json")
    assert settings["IsEncrypted"] is False
    assert settings["Values"]["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert settings["Values"]["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
