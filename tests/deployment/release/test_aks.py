"""The roll-out script with STAND-INS for kubectl and for what is asked: what it does, and how it goes back.

The stand-in of kubectl notes what it is told and keeps the config map; in one test the real one builds the
manifests. No cluster takes anything.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import CHECKOUT

NEW = "atoll=registry.example/atoll@sha256:" + "a" * 64

KUBECTL = """#!/usr/bin/env bash
echo "$*" >> "$STATE/told"
case "$1 $2" in
  "kustomize "*) echo "image: $BUILT" ;;
  "get configmap") [ -f "$STATE/kept" ] && cat "$STATE/kept" || exit 1 ;;
  "create configmap") echo saved ;;
  "apply --server-side")
    if [[ "$*" == *"-f -"* ]]; then cat > "$STATE/saved"; exit; fi
    for word in "$@"; do [ -f "$word" ] && cp "$word" "$STATE/running"; done
    [[ "$*" != *--dry-run=server* ]] || exit "${REFUSED:-0}" ;;
  "rollout status") ! grep -q "$BROKEN" "$STATE/running" ;;
esac
"""
# What smoke.py would tell of the deployment that runs.
PYTHON = '#!/usr/bin/env bash\n! grep -q "$MUTE" "$STATE/running"\n'


@dataclass
class Cluster:
    """What the stand-ins have been told, and what they have of a cluster."""

    state: Path
    folder: Path

    def roll_out(self, *images: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {
            "BROKEN": "^$",
            "MUTE": "^$",
            "ATOLL_URL": "http://127.0.0.1:1",
            "BUILT": (images or ("",))[0].partition("=")[2],
        }
        return subprocess.run(
            ["bash", str(CHECKOUT / "deployment/release/aks.sh"), *images],
            env={
                "PATH": f"{self.folder}:{os.defpath}",
                "STATE": str(self.state),
                "PYTHON": str(self.folder / "asks"),
                **given,
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def told(self) -> list[str]:
        file = self.state / "told"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def running(self) -> str:
        return (self.state / "running").read_text()

    def keep(self, manifest: str) -> None:
        (self.state / "kept").write_text(manifest)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    found = Cluster(tmp_path / "state", tmp_path / "bin")
    for folder in (found.state, found.folder):
        folder.mkdir()
    for name, script in (("kubectl", KUBECTL), ("asks", PYTHON)):
        (found.folder / name).write_text(script)
        (found.folder / name).chmod(0o755)
    return found


def test_a_tag_is_not_taken(cluster: Cluster) -> None:
    done = cluster.roll_out("atoll=registry.example/atoll:latest")
    assert done.returncode == 2
    assert "a tag can be moved" in done.stderr
    assert cluster.told == []


def test_what_answers_is_kept_as_the_release_to_go_back_to(cluster: Cluster) -> None:
    done = cluster.roll_out(NEW)
    assert done.returncode == 0, done.stderr
    assert (cluster.state / "saved").read_text() == "saved\n"


def test_what_the_cluster_would_refuse_changes_nothing(cluster: Cluster) -> None:
    done = cluster.roll_out(NEW, REFUSED="1")
    assert done.returncode == 1
    applied = [line for line in cluster.told if line.startswith("apply") and "--dry-run=server" not in line]
    assert applied == []


@pytest.mark.parametrize("fault", ["BROKEN", "MUTE"])
def test_pods_that_do_not_start_or_do_not_answer_are_taken_back(cluster: Cluster, fault: str) -> None:
    cluster.keep("image: old\n")
    done = cluster.roll_out(NEW, **{fault: "sha256:aaaa"})
    assert done.returncode == 1
    assert "The old release is back" in done.stderr
    assert cluster.running == "image: old\n"
    assert not (cluster.state / "saved").exists()


def test_a_first_release_that_fails_says_that_there_is_nothing_to_go_back_to(cluster: Cluster) -> None:
    done = cluster.roll_out(NEW, MUTE="sha256:aaaa")
    assert done.returncode == 1
    assert "nothing to go back to" in done.stderr


def test_an_old_release_that_does_not_answer_either_is_told_apart(cluster: Cluster) -> None:
    cluster.keep("image: old\n")
    assert cluster.roll_out(NEW, MUTE="image").returncode == 3


def test_an_image_that_no_manifest_uses_is_refused_before_anything_changes(cluster: Cluster) -> None:
    done = cluster.roll_out(NEW, BUILT="something/else")
    assert done.returncode == 2
    assert "uses no image named atoll" in done.stderr
    assert [line for line in cluster.told if line.startswith("apply")] == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_the_real_kubectl_builds_the_overlay_with_the_digest(cluster: Cluster) -> None:
    kubectl = shutil.which("kubectl")
    real = KUBECTL.replace('echo "image: $BUILT" ;;', f'{kubectl} "$@" ;;')
    assert real != KUBECTL
    (cluster.folder / "kubectl").write_text(real)
    done = cluster.roll_out(NEW)
    assert done.returncode == 0, done.stderr
    assert f"image: {NEW.partition('=')[2]}" in cluster.running
