"""What the doctor makes of files: secrets in plain text, the size of a deployment, pinned packages."""

import subprocess
from pathlib import Path

import pytest

from common.doctor.examine import Subject, examine
from common.doctor.finding import Finding, worst
from common.doctor.interpreter import check_packages, check_python, names, pins
from common.doctor.package import check_size, files_bytes, ignored, packages_bytes
from common.doctor.plain_secrets import find_held, secret_names, variables_of
from common.doctor.plans import PLANS, plan_of
from common.settings import CHECKOUT, Settings
from tests.conformance.deployment import ignored_as_by_core_tools

PLANTED = "planted-secret-0123456789"
AZURITE = "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq==;"


def secrets(root: Path) -> list[Finding]:
    return list(examine(Subject(root, {}, PLANS["flex"]), Settings, ["secrets"]))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """An empty git repository."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def test_a_secret_that_git_has_is_an_error_and_is_never_shown(checkout: Path) -> None:
    (checkout / ".env").write_text(f"export ATOLL_ADMIN_KEY='{PLANTED}'\nPORT=7071\n")
    subprocess.run(["git", "-C", str(checkout), "add", ".env"], check=True)
    (found,) = secrets(checkout)
    assert found.level == "error"
    assert found.what == ".env holds ATOLL_ADMIN_KEY in plain text"
    assert PLANTED not in repr(found)


def test_a_secret_that_git_does_not_ignore_is_an_error(checkout: Path) -> None:
    (checkout / ".funcignore").write_text("/local.settings.json\n")
    (checkout / "local.settings.json").write_text(f'{{"Values": {{"REDIS_URL": "rediss://:{PLANTED}@cache:6380/0"}}}}')
    (found,) = secrets(checkout)
    assert (found.level, found.todo.split(",")[0]) == ("error", "add /local.settings.json to .gitignore")


def test_a_secret_that_would_be_deployed_is_an_error(checkout: Path) -> None:
    (checkout / ".gitignore").write_text("*.env\n")
    (checkout / "prod.env").write_text(f"OIDC_CLIENT_SECRET={PLANTED}\n")
    (found,) = secrets(checkout)
    assert (found.level, found.why) == ("error", "a deployment takes it along")


def test_a_secret_that_stays_on_this_disk_is_a_warning(checkout: Path) -> None:
    (checkout / ".gitignore").write_text(".env\n")
    (checkout / ".funcignore").write_text("/.env\n")
    (checkout / ".env").write_text(f"ATOLL_ADMIN_KEY={PLANTED}\n")
    assert [item.level for item in secrets(checkout)] == ["warning"]


def test_variables_of_terraform_are_looked_at(checkout: Path) -> None:
    (checkout / "terraform").mkdir()
    (checkout / "terraform" / "ci.tfvars").write_text(f'location = "westeurope"\nadmin_password = "{PLANTED}"\n')
    (found,) = find_held(checkout)
    assert (found.path, found.names) == ("terraform/ci.tfvars", ("admin_password",))


@pytest.mark.parametrize(
    "variables",
    [
        {"AzureWebJobsStorage": "UseDevelopmentStorage=true"},
        {"AzureWebJobsStorage": f"DefaultEndpointsProtocol=http;{AZURITE}"},
        {"ATOLL_ADMIN_KEY": "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/key/1234567890)"},
        {"ATOLL_ADMIN_KEY_FILE": "/run/secrets/atoll-admin-key"},
        {"DATABASE_URL": "postgresql://atoll@database/atoll"},
        {"ATOLL_ROLES": "http,queues,timers"},
    ],
)
def test_references_and_what_everybody_knows_are_no_secrets(variables: dict[str, str]) -> None:
    assert secret_names(variables) == ()


def test_a_password_within_an_address_is_a_secret() -> None:
    assert secret_names({"DATABASE_URL": f"postgresql://atoll:{PLANTED}@database/atoll"}) == ("DATABASE_URL",)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"Values": [1]}', '{"Values": {"PORT": 1}}'])
def test_a_file_that_is_no_list_of_variables_holds_none(text: str) -> None:
    assert variables_of("local.settings.json", text) == {}


def test_the_example_that_we_ship_holds_no_secret() -> None:
    text = (CHECKOUT / "local.settings.example.json").read_text()
    assert secret_names(variables_of("local.settings.json", text)) == ()


def test_what_is_deployed_is_what_core_tools_would_take() -> None:
    stays = ignored((CHECKOUT / ".funcignore").read_text().splitlines())
    other = ignored_as_by_core_tools()
    for path in (".env", "common/app.py", "tests/x.py", "docs/", "models/a/__pycache__/b.pyc", "host.json", ".venv/"):
        assert stays(path) == other(path)


def test_without_a_list_everything_is_deployed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.bin").write_bytes(bytes(1000))
    (tmp_path / "c").write_bytes(bytes(10))
    assert files_bytes(tmp_path, ignored([])) == {"a": 1000, "c": 10}
    assert files_bytes(tmp_path, ignored(["# all", "/a/", "", "/c"])) == {}


@pytest.mark.parametrize(("of_a_checkout", "levels"), [("tests", ["warning", "ok"]), ("models", ["ok"])])
def test_a_list_of_what_stays_behind_is_missed_only_before_a_deployment(
    of_a_checkout: str, levels: list[str], tmp_path: Path
) -> None:
    (tmp_path / of_a_checkout).mkdir()
    found = examine(Subject(tmp_path, {}, PLANS["flex"]), Settings, ["package"])
    assert [item.level for item in found] == levels


@pytest.mark.parametrize(
    ("size", "plan", "level"),
    [
        (600_000_000, "flex", "ok"),
        (700_000_000, "flex", "warning"),
        (900_000_000, "flex", "error"),
        (900_000_000, "premium", "ok"),
        (10**12, "container", "ok"),
        (1, "consumption", "warning"),
    ],
)
def test_a_deployment_is_judged_by_the_room_that_its_plan_has(size: int, plan: str, level: str) -> None:
    assert worst(check_size({"models": size // 2}, {"numpy": size - size // 2}, PLANS[plan])) == level


def test_a_package_weighs_what_its_record_says() -> None:
    found = packages_bytes(["numpy", "no-such-package"])
    assert list(found) == ["numpy"]
    assert found["numpy"] > 10_000_000


def test_the_plan_is_the_platform_s_own_word() -> None:
    assert plan_of({}).name == "flex"
    assert plan_of({"WEBSITE_SKU": "Dynamic"}).name == "consumption"
    assert plan_of({"WEBSITE_SKU": "ElasticPremium"}).name == "premium"
    assert plan_of({"WEBSITE_SKU": "PremiumV3"}).name == "dedicated"
    assert plan_of({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).name == "container"


@pytest.mark.parametrize(
    ("version", "library", "level"),
    [
        ((3, 10), "1.24.0", "error"),
        ((3, 11), "1.24.0", "ok"),
        ((3, 12), "2.0.0", "error"),
        ((3, 13), "1.24.0", "error"),
        ((3, 13), "2.1.0", "ok"),
        ((3, 14), "2.1.0", "error"),
        ((3, 12), None, "error"),
    ],
)
def test_each_python_has_its_own_library_of_the_worker(
    version: tuple[int, int], library: str | None, level: str
) -> None:
    assert [item.level for item in check_python(version, lambda name: library)] == [level]


def test_packages_are_compared_with_what_is_pinned() -> None:
    text = "numpy==2.1 \\\n    --hash=sha256:00\nuvloop==1 ; sys_platform != 'win32' \\\nredis==6\n# via x\n"
    assert pins(text) == {"numpy": "2.1", "redis": "6"}
    assert names(text) == ["numpy", "redis", "uvloop"]
    there = {"numpy": "2.1", "redis": "5"}
    found = list(check_packages({"numpy": "2.1", "redis": "6", "pandas": "2"}, there.get))
    assert [(item.level, item.what) for item in found] == [
        ("error", "not installed: pandas"),
        ("warning", "installed: redis 5 instead of 6"),
    ]
