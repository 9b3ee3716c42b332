"""`atoll registry`: against a server, and against its database and share."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.client import AtollClientError, Client
from common.clock import new_id
from common.database import Database
from common.registry.service import Registry
from common.settings import Settings, StorageSettings
from common.storage import Blobs, open_share
from tests.support.servers import Server, run_cli

Run = subprocess.CompletedProcess[str]
Atoll = Callable[..., Run]


class Site:
    """A server, and the state it lies on."""

    def __init__(self, state: Path) -> None:
        self.state = state
        settings = Settings(storage=StorageSettings(state_dir=state))
        database = Database(settings.database_url)
        database.migrate()
        self.registry = Registry(database, Blobs(open_share(settings.storage), settings.storage.cache_dir), poll_s=0)
        self.server = Server(state, env={"SERVICE_MODEL": "sample"})

    def publish(self, model: str, *errors: float) -> None:
        """A version each; the first is the default, the last the candidate."""
        for number, error in enumerate(errors):
            alias = "default" if number == 0 else "candidate" if number == len(errors) - 1 else None
            self.registry.publish(
                model,
                {"a.bin": f"{model} {number}".encode()},
                author="me",
                code_version="1",
                metrics={"rmse": error},
                alias=alias,
            )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.server.stop()
    made.registry.database.close()


@pytest.fixture
def model(site: Site) -> str:
    """A model of the test's own with three versions: the default, a worse and a better one."""
    name = f"m{new_id()}"
    site.publish(name, 1.0, 2.0, 0.5)
    return name


@pytest.fixture
def atoll(site: Site) -> Atoll:
    def run(*arguments: str, **env: str) -> Run:
        return run_cli(site.state, "registry", *arguments, env={"ATOLL_URL": site.server.url, **env})

    return run


def answer(run: Run) -> Any:
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_an_alias_moves_and_goes_back(atoll: Atoll, model: str) -> None:
    assert answer(atoll("alias", model, "default", "2"))["previous"] == 1
    assert answer(atoll("rollback", model))["version"] == 1
    run = atoll("rollback", model)
    assert (run.returncode, run.stdout) == (1, "")
    assert "there is no way back" in run.stderr


def test_a_version_is_promoted_where_it_is_good_enough_and_else_both_figures_are_told(atoll: Atoll, model: str) -> None:
    refused = atoll("promote", model, "2", "--metric", "rmse", "--direction", "lower")
    assert refused.returncode == 1
    assert "version 2 has rmse 2, version 1 has 1" in refused.stderr
    made = answer(atoll("promote", model, "--metric", "rmse", "--direction", "lower"))
    assert (made["version"], made["previous"], made["figure"]) == (3, 1, 0.5)


def test_requests_are_shared_by_percent_and_shown(atoll: Atoll, model: str) -> None:
    shares = {"weights": {"candidate": 0.1, "default": 0.9}, "shadow": "candidate", "shadow_share": 0.5}
    told = ("traffic", model, "default=90%", "candidate=0.1", "--shadow", "candidate", "--shadow-share", "50%")
    assert answer(atoll(*told)) == shares
    assert answer(atoll("traffic", model)) == shares
    assert answer(atoll("traffic", model, "--clear")) is None
    assert answer(atoll("traffic", model)) is None
    shadow_only = answer(atoll("traffic", model, "--shadow", "candidate"))
    assert (shadow_only["weights"], shadow_only["shadow"]) == ({"default": 1.0}, "candidate")


def test_models_and_versions_are_described(atoll: Atoll, model: str) -> None:
    told = answer(atoll("describe", model, "--text", "Lines.", "--tag", "team=blue", "--tag", "tried"))
    assert (told["description"], told["tags"]) == ("Lines.", {"team": "blue", "tried": ""})
    version = answer(atoll("describe", model, "2", "--metric", "mae=0.25"))
    assert version["metrics"] == {"rmse": 2.0, "mae": 0.25}


def test_versions_aliases_and_models_are_deleted(atoll: Atoll, site: Site, model: str) -> None:
    refused = atoll("delete", model, "1")
    assert refused.returncode == 1
    assert "is what default points to" in refused.stderr
    assert atoll("delete", model, "2").returncode == 0
    assert atoll("delete", model, "--alias", "candidate").returncode == 0
    assert [version.number for version in site.registry.list_versions(model)] == [3, 1]
    assert atoll("delete", model, "--all").returncode == 0
    assert model not in [entry.model for entry in site.registry.list_models()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["promote", "m"],
        ["promote", "m", "--metric", "rmse", "--direction", "up"],
        ["traffic", "m", "default"],
        ["traffic", "m", "default=most"],
        ["traffic", "m", "default=1", "--clear"],
        ["describe", "m"],
        ["describe", "m", "--metric", "a=1"],
        ["describe", "m", "1", "--metric", "a=b"],
        ["delete", "m"],
        ["delete", "m", "1", "--all"],
        ["gc", "--grace-hours", "-1"],
        ["export", "m"],
        ["export", "m", "--tracking-uri", "localhost"],
        ["import", "models:/m/1", "m"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(atoll: Atoll, arguments: list[str]) -> None:
    run = atoll(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr


def test_a_whole_registry_is_verified_with_0_and_a_flipped_bit_with_1(atoll: Atoll, site: Site, model: str) -> None:
    assert answer(atoll("verify"))["is_whole"] is True
    version = site.registry.get(model, 2)
    copy = site.registry.blobs.copy(version.artefacts[0].ref)
    path = site.registry.path(version, "a.bin")
    path.write_bytes(b"!" + path.read_bytes()[1:])
    repaired = answer(atoll("verify", "--repair"))
    assert [(found["kind"], found["is_repaired"]) for found in repaired["findings"]] == [("damaged", True)]
    path.write_bytes(b"!" + path.read_bytes()[1:])
    copy.unlink()
    run = atoll("verify")
    assert run.returncode == 1
    assert json.loads(run.stdout)["findings"][0]["target"] == f"{model}:2 a.bin"
    assert not path.exists()
    site.registry.delete_version(model, 2)
    assert atoll("verify").returncode == 0


def test_what_nobody_needs_is_collected(atoll: Atoll, site: Site, model: str) -> None:
    sha256 = site.registry.get(model, 2).artefacts[0].sha256
    site.registry.delete_version(model, 2)
    assert answer(atoll("gc"))["blobs"] == 0
    assert sha256 in site.registry.blobs.find()
    assert answer(atoll("gc", "--grace-hours", "0"))["blobs"] >= 1
    assert sha256 not in site.registry.blobs.find()


def test_a_version_goes_out_as_an_mlflow_model_and_comes_back(
    atoll: Atoll, site: Site, model: str, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert answer(atoll("export", model, "candidate", "--to", str(folder)))["version"] == 3
    again = f"{model}-again"
    assert answer(atoll("import", str(folder), again, "--alias", "default"))["version"] == 1
    was, now = site.registry.get(model, 3), site.registry.resolve(again)
    assert (now.artefacts, now.metrics, now.author) == (was.artefacts, was.metrics, was.author)
    assert atoll("export", model, "--to", str(folder)).returncode == 2
    assert "has no file MLmodel" in atoll("import", str(tmp_path), again).stderr


def test_all_of_it_is_in_the_client(site: Site, model: str) -> None:
    with Client(site.server.url) as client:
        assert client.promote(model, metric="rmse", direction="lower")["version"] == 3
        assert client.rollback(model, current=3)["version"] == 1
        with pytest.raises(AtollClientError, match="points to version 1, not 3"):
            client.rollback(model, current=3)
        assert client.set_traffic(model, {"default": 1}, shadow="candidate")["shadow"] == "candidate"
        client.clear_traffic(model)
        assert client.describe(model, 2, description="x", metrics={"mae": 1})["metrics"]["mae"] == 1
        assert client.artefact(model, 1, "a.bin") == f"{model} 0".encode()
        client.delete_alias(model, "candidate")
        client.delete_version(model, 2)
        client.delete_model(model)
        assert model not in [entry["model"] for entry in client.registry()]
