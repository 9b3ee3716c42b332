"""The campaign itself, in small: real processes, a few kills; and whether it would see what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.database import Database
from common.registry import tables
from common.registry.service import Registry
from common.storage.blobs import Blobs
from common.storage.directory import DirectoryShare
from tests.campaign_registry import checks, report
from tests.campaign_registry.checks import check
from tests.campaign_registry.ledger import Told
from tests.campaign_registry.run import POSTGRESQL, SQLITE, campaign
from tests.support.backends import Missing, missing
from tests.support.servers import run_python


@pytest.mark.parametrize("backend", [SQLITE, POSTGRESQL])
def test_eight_kills_leave_the_registry_whole(backend: str) -> None:
    said: list[str] = []
    try:
        outcome = campaign(backend, 8, 3, said.append)
    except Missing as exc:
        missing(str(exc))
    assert {promise: found for promise, found in outcome.violations.items() if found} == {}
    assert set(outcome.violations) == set(checks.PROMISES)
    assert outcome.kills >= 8
    assert outcome.killed_in.total() > 0
    assert outcome.deeds["publish"] > 0
    page = report.markdown([outcome])
    assert f"| {checks.LOST} | **0** |" in page
    assert "seed 3" in page


class Site:
    """A registry, its folder, and what was said about it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder}/registry.db")
        with self.database.transaction() as connection:
            tables.metadata.create_all(connection)
        self.blobs = Blobs(DirectoryShare(folder / "share"), folder / "cache")
        self.registry = Registry(self.database, self.blobs)

    def publish(self, id_: str, content: bytes) -> int:
        version = self.registry.publish("one", {"0.bin": content}, author=id_, code_version="1")
        digests = {artefact.name: artefact.sha256 for artefact in version.artefacts}
        self.say("begin", id_, verb="publish", wanted={"model": "one", "digests": digests})
        self.say("done", id_, result={"number": version.number})
        return version.number

    def say(self, what: str, id_: str, **more: Any) -> None:
        with (self.folder / "ledger.jsonl").open("a") as file:
            file.write(json.dumps({"what": what, "id": id_, **more}) + "\n")

    def found(self) -> dict[str, int]:
        told = Told.read(self.folder / "ledger.jsonl")
        return {promise: len(texts) for promise, texts in check(self.database, self.folder, told).items() if texts}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    for id_ in ("a", "b"):
        made.publish(id_, id_.encode())
    return made


def test_a_registry_that_is_as_it_was_told_is_found_whole(site: Site) -> None:
    site.registry.delete_version("one", 1)
    site.say("begin", "d", verb="delete version", wanted={"model": "one", "number": 1})
    site.say("done", "d", result={})
    assert site.found() == {}


def test_a_version_that_went_by_itself_is_found(site: Site) -> None:
    site.registry.delete_version("one", 1)
    assert site.found() == {checks.LOST: 1}


def test_a_version_whose_deleter_was_killed_may_be_there_or_not(site: Site) -> None:
    site.say("begin", "d", verb="delete version", wanted={"model": "one", "number": 1})
    assert site.found() == {}
    site.registry.delete_version("one", 1)
    assert site.found() == {}


def test_a_version_that_was_deleted_and_is_there_is_found(site: Site) -> None:
    site.say("begin", "d", verb="delete version", wanted={"model": "one", "number": 1})
    site.say("done", "d", result={})
    assert site.found() == {checks.RISEN: 1}


def test_a_version_published_twice_is_found(site: Site) -> None:
    site.registry.publish("one", {"0.bin": b"a"}, author="a", code_version="1")
    # The second has a number that nobody was told, too.
    assert site.found() == {checks.DOUBLED: 2}


def test_other_contents_and_unknown_publishers_are_found(site: Site) -> None:
    site.registry.publish("one", {"0.bin": b"c"}, author="nobody", code_version="1")
    with site.database.transaction() as connection:
        connection.execute(sa.update(tables.artefacts).where(tables.artefacts.c.number == 1).values(name="1.bin"))
    assert site.found() == {checks.FOREIGN: 2}


def test_a_missing_blob_is_found(site: Site) -> None:
    site.blobs.share.delete(site.registry.get("one", 1).artefacts[0].ref.share_path)
    assert site.found() == {checks.BROKEN: 1}


def test_the_help_says_what_is_done_and_needed() -> None:
    done = run_python(["-m", "tests.campaign_registry", "--help"], Path.cwd())
    assert done.returncode == 0
    for word in ("SIGKILL", "--kills", "--backend", "--report", "PostgreSQL", "Exit code 1"):
        assert word in done.stdout
