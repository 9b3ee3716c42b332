"""compose.yaml: valid, closed, and everything it names is there. Nothing here can run it: no image can be pulled."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.settings import AREAS
from common.settings.secrets import FILE_SUFFIX, is_secret
from tests.support.servers import CHECKOUT

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ATOLL = [name for name, service in SERVICES.items() if "atoll" in service["image"]]
SECRETS = CHECKOUT / "deployment/container/secrets.sh"
LAB = CHECKOUT.parent / "shared/lab/venv.sh"


def checker() -> str:
    """check-jsonschema, which carries the schema of the Compose specification."""
    found = shutil.which("check-jsonschema")
    if found:
        return found
    if not LAB.exists():
        pytest.skip("check-jsonschema is not installed, and ../shared/lab, which has it, is absent")
    python = subprocess.run([LAB, "actions"], capture_output=True, text=True, check=True, timeout=300).stdout.strip()
    return str(Path(python).with_name("check-jsonschema"))


def test_the_file_is_what_the_compose_specification_allows() -> None:
    command = [checker(), "--builtin-schema", "vendor.compose-spec", str(CHECKOUT / "compose.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_that_containers_get_is_one_that_atoll_knows() -> None:
    known = {str(field.validation_alias) for area in AREAS for field in area.model_fields.values()}
    given = {name for service in ATOLL for name in SERVICES[service]["environment"]}

    assert {name for name in given if name.removesuffix(FILE_SUFFIX) not in known} == set()


def test_the_roles_of_each_profile_are_all_there_are() -> None:
    for profile in ("dev", "prod"):
        roles = [
            SERVICES[name]["environment"]["ATOLL_ROLES"] for name in ATOLL if profile in SERVICES[name]["profiles"]
        ]
        assert sorted(roles) == ["http", "queues,timers"]


def test_only_the_proxies_and_the_monitors_are_reached_and_only_https_from_elsewhere() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert ports == {
        "nginx-dev": ["127.0.0.1:8008:8080"],
        "nginx": ["8009:8443"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_what_keeps_the_state_is_on_a_network_without_a_way_out() -> None:
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert [SERVICES[name]["networks"] for name in ("postgres", "azurite", "redis")] == [["back"]] * 3


@pytest.mark.parametrize("name", ATOLL)
def test_atoll_has_no_rights_and_time_to_end(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    # Longer than requests and jobs have by default.
    assert int(service["stop_grace_period"].removesuffix("s")) > 25
    # One address a container, which a scaled service must not share with its neighbours.
    assert "container_name" not in service
    assert "ports" not in service


def test_no_secret_stands_in_the_file_but_the_one_that_everybody_knows() -> None:
    given = {
        name: value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if is_secret(name) and not value.startswith("/run/secrets/")
    }
    key = re.findall("AccountKey=([^;]+);", given.pop("AzureWebJobsStorage"))

    assert given == {"REDIS_URL": "redis://redis:6379/0"}
    assert len(key) == 1
    assert key[0] in (CHECKOUT / "tests/support/backends.py").read_text(encoding="utf-8")


def test_images_have_versions() -> None:
    named = {service["image"] for service in SERVICES.values()}

    assert [image for image in named if ":" not in image or image.endswith(":latest")] == []


def test_every_file_that_is_mounted_is_there() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    paths = [CHECKOUT / path for path in mounted if path.startswith("./")]

    assert paths
    assert [str(path) for path in paths if not path.exists()] == []


def test_every_scraped_name_is_a_service_and_every_atoll_is_scraped() -> None:
    config = yaml.safe_load((CHECKOUT / "deployment/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    names = [name for job in config["scrape_configs"] for sd in job.get("dns_sd_configs", []) for name in sd["names"]]

    assert sorted(names) == sorted(ATOLL)


def test_promtool_accepts_what_prometheus_is_given(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    key = tmp_path / "admin_key"
    key.write_text("x" * 40)
    text = (CHECKOUT / "deployment/prometheus/prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/admin_key", str(key)), encoding="utf-8")
    (tmp_path / "rules.yml").write_text("groups: []\n")
    done = subprocess.run(
        ["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def secrets(folder: Path, **env: str) -> Path:
    """Run a copy of the script, so that its secrets are made elsewhere."""
    copy = folder / "deployment/container/secrets.sh"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(SECRETS.read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run(["sh", copy], check=True, capture_output=True, env={"PATH": "/usr/bin:/bin", **env})
    return folder / "deployment/.secrets"


def test_the_script_makes_every_secret_that_the_file_names(tmp_path: Path) -> None:
    made = secrets(tmp_path)
    wanted = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}

    assert {path.name for path in made.iterdir()} == wanted
    # Only the owner may enter; containers, which get each file alone, read them as users of their own.
    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o644}
    assert (made / "database_password").read_text().strip() in (made / "database_url").read_text()
    assert len((made / "admin_key").read_text().strip()) >= 32


def test_run_again_the_script_changes_nothing(tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets(tmp_path).iterdir()}
    after = {path.name: path.read_bytes() for path in secrets(tmp_path).iterdir()}

    assert after == before


def test_the_certificate_is_for_the_names_asked_for(tmp_path: Path) -> None:
    made = secrets(tmp_path, NAMES="atoll.example.org,b.example.org")
    text = subprocess.run(
        ["openssl", "x509", "-in", made / "tls.crt", "-noout", "-ext", "subjectAltName"], capture_output=True, text=True
    ).stdout

    assert [name in text for name in ("DNS:localhost", "DNS:atoll.example.org", "DNS:b.example.org")] == [True] * 3
