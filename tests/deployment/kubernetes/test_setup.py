"""`deployment/setup.sh` without Azure: what it would do, what it refuses, and that it gives no secret away.

`az` and the others are stand-ins here, which write down how they were called.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from common.settings import CHECKOUT
from tests.deployment.kubernetes.manifests import of_kind, overlay

SCRIPT = CHECKOUT / "deployment" / "setup.sh"


def setup(
    *words: str, path: Path | None = None, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"], **(settings or {})}
    return subprocess.run(
        [str(SCRIPT), *words], capture_output=True, text=True, check=False, timeout=60, env=environment
    )


@pytest.fixture
def standins(tmp_path: Path) -> Path:
    """A folder with programs of the names that the script calls; what they were told is in `calls`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("az", "kubectl", "kubelogin"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "{folder}/calls"\n')
        program.chmod(0o755)
    return folder


def test_without_run_commands_are_shown_and_none_is_run(standins: Path) -> None:
    done = setup(path=standins)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^# (\d+)\.", done.stdout, re.MULTILINE) == [str(number) for number in range(1, 13)]
    assert "az aks create" in done.stdout
    assert not (standins / "calls").exists()


def test_what_is_shown_can_be_typed_and_what_is_found_out_stands_in_it_by_name() -> None:
    shown = setup().stdout.splitlines()
    (role,) = [line for line in shown if '"Storage Queue' in line or "'Storage Queue" in line]
    assert role.endswith("""--role 'Storage Queue Data Contributor' --scope "$storage_id\"""")
    assert (
        """principal_id=$(az identity show --resource-group atoll --name atoll-pods --query principalId --output tsv)"""
        in shown
    )
    (first, *_) = [line for line in shown if "/queues/" in line]
    assert first.endswith(
        """--uri "$storage_id/queueServices/default/queues/prediction-cpu?api-version=2024-01-01" --body '{}'"""
    )
    # As a shell reads it, nothing is run.
    typed = "\n".join(line for line in shown if line.startswith("az ") and "(made)" not in line)
    assert subprocess.run(["bash", "-n", "-c", typed], check=False).returncode == 0


def test_every_queue_that_the_manifests_read_is_made_with_its_poison_queue() -> None:
    made = set(re.findall(r"/queues/([a-z-]+)\?", setup().stdout))
    read = {found["spec"]["triggers"][0]["metadata"]["queueName"] for found in of_kind(overlay("aks"), "ScaledJob")}
    assert made == read | {f"{queue}-poison" for queue in read}


def test_what_is_written_for_the_manifests_has_the_names_that_they_read() -> None:
    told = setup().stdout
    wanted = CHECKOUT / "deployment" / "kubernetes" / "components" / "azure" / "azure.env"
    names = [line.partition("=")[0] for line in wanted.read_text().splitlines() if not line.startswith("#")]
    written = told.partition("azure.env << END")[2].partition("\nEND")[0]
    assert re.findall(r"^([A-Z_]+)=", written, re.MULTILINE) == names


def test_priced_options_are_off_unless_asked_for() -> None:
    priced = ("az network ddos-protection create", "az network firewall create")
    assert [command for command in priced if command in setup().stdout] == []
    assert [command for command in priced if command in setup("--ddos", "--firewall").stdout] == list(priced)


# Writes down what it is told, keeps secrets as a vault does, and knows one server.
STANDIN_AZ = """#!/bin/sh
cd "$(dirname "$0")"
echo "az $*" >> calls
for word; do
  case $before in --name) name=$word ;; --file) file=$word ;; --admin-password) password=$word ;; esac
  before=$word
done
case "$*" in
  "keyvault secret set "*) cp "$file" "secret-$name" ;;
  "keyvault secret show "*) [ -f "secret-$name" ] ;;
  "keyvault secret download "*) cp "secret-$name" "$file" ;;
  "postgres flexible-server show "*) [ -f password ] ;;
  "postgres flexible-server create "*) if [ -f refuses ]; then exit 1; fi; cp "${password#@}" password ;;
esac
"""


def test_no_command_line_has_a_secret_and_none_is_made_twice(standins: Path) -> None:
    # Step 10 would write into the checkout: a folder with the script alone takes its place.
    checkout = standins.parent / "checkout"
    (checkout / "deployment" / "kubernetes" / "components" / "azure").mkdir(parents=True)
    (checkout / "deployment" / "setup.sh").write_bytes(SCRIPT.read_bytes())
    (standins / "az").write_text(STANDIN_AZ)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(checkout / "deployment" / "setup.sh"), "--run"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": f"{standins}:{os.environ['PATH']}"},
        )

    (standins / "refuses").touch()
    assert run().returncode == 1
    kept = (standins / "secret-database-url").read_text(), (standins / "secret-admin-key").read_text()
    (standins / "refuses").unlink()
    for _ in range(2):
        done = run()
        assert done.returncode == 0, done.stderr
    password = (standins / "password").read_text()
    assert re.fullmatch("[0-9a-f]{48}", password)
    assert f":{password}@" in kept[0]
    assert kept == ((standins / "secret-database-url").read_text(), (standins / "secret-admin-key").read_text())
    calls = (standins / "calls").read_text()
    assert calls.count("az postgres flexible-server create") == 2  # the one that was refused, and one more
    assert password not in calls + done.stdout + done.stderr
    assert re.findall(r"\b[0-9a-f]{40,}\b", calls) == []


@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        (("--fast",), {}, "unknown option --fast"),
        ((), {"NAME": "My Cluster"}, "is not 3 to 16 lower-case letters"),
        (("--from", "two"), {}, "is no number"),
        (("--from", "13"), {}, "there are steps 1 to 12"),
        ((), {"DATASETS": "nowhere"}, "DATASETS=nowhere is no folder"),
    ],
)
def test_what_it_cannot_follow_is_said(words: tuple[str, ...], settings: dict[str, str], told: str) -> None:
    done = setup(*words, settings=settings)
    assert done.returncode == 2
    assert told in done.stderr
