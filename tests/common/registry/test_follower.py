"""Plugins are given the version that `default` points to, and lose nothing where there is none."""

from pathlib import Path

import pytest

from common.errors import DependencyFailed
from common.registry.follower import Follower, OwnRegistry
from common.registry.held import Held
from common.registry.service import Registry
from tests.support.plugins import settings


class Plugin:
    """Keeps what it was given."""

    def __init__(self) -> None:
        self.numbers: list[int | None] = []
        self.refuses: int | None = None

    def serve(self, held: Held) -> None:
        if held.number is not None and held.number == self.refuses:
            raise ValueError("broken")
        self.numbers.append(held.number)


def publish(registry: Registry, *, alias: str | None = "default") -> int:
    return registry.publish("mine", {"a.txt": b"one"}, author="me", code_version="1", alias=alias).number


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    from common.database import Database
    from common.storage import Blobs, open_share

    given = settings(tmp_path)
    database = Database(given.database_url)
    database.migrate()
    return Registry(database, Blobs(open_share(given.storage), given.storage.cache_dir), poll_s=0)


def test_the_default_version_is_given_at_the_first_look_and_each_later_one_once(
    registry: Registry, tmp_path: Path
) -> None:
    plugin = Plugin()
    publish(registry)
    follower = Follower("mine", plugin.serve, lambda: registry, tmp_path)
    follower.begin()
    follower.look()
    publish(registry, alias=None)
    follower.look()
    publish(registry)
    follower.look()
    follower.look()
    assert plugin.numbers == [1, 3]


def test_artefacts_are_files_of_this_machine(registry: Registry, tmp_path: Path) -> None:
    held: list[Held] = []
    publish(registry)
    Follower("mine", held.append, lambda: registry, tmp_path).begin()
    assert held[0].path("a.txt").read_bytes() == b"one"
    assert list(held[0].artefacts) == ["a.txt"]


def test_without_a_version_the_plugin_serves_its_own(registry: Registry, tmp_path: Path) -> None:
    plugin = Plugin()
    Follower("mine", plugin.serve, lambda: registry, tmp_path).begin()
    assert plugin.numbers == [None]


def test_a_version_that_cannot_be_served_leaves_the_one_before_and_is_not_tried_again(
    registry: Registry, tmp_path: Path
) -> None:
    plugin = Plugin()
    publish(registry)
    follower = Follower("mine", plugin.serve, lambda: registry, tmp_path)
    follower.begin()
    plugin.refuses = publish(registry)
    follower.look()
    plugin.refuses = None
    follower.look()
    assert plugin.numbers == [1]
    publish(registry)
    follower.look()
    assert plugin.numbers == [1, 3]


def test_a_broken_version_at_the_start_is_told(registry: Registry, tmp_path: Path) -> None:
    plugin = Plugin()
    plugin.refuses = publish(registry)
    with pytest.raises(ValueError, match="broken"):
        Follower("mine", plugin.serve, lambda: registry, tmp_path).begin()


def test_a_database_that_is_away_changes_nothing(tmp_path: Path) -> None:
    def away() -> Registry:
        raise DependencyFailed("no database")

    plugin = Plugin()
    follower = Follower("mine", plugin.serve, away, tmp_path)
    follower.begin()
    follower.look()
    assert plugin.numbers == [None]


def test_a_process_without_a_database_makes_none(tmp_path: Path) -> None:
    found = OwnRegistry(settings(tmp_path), lambda: None)()
    assert found is None
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_comes_into_being_is_found(registry: Registry, tmp_path: Path) -> None:
    own = OwnRegistry(settings(tmp_path), lambda: None)
    publish(registry)
    found = own()
    assert found is not None
    assert found.resolve("mine").number == 1
    assert own() is found
