"""The hub's files, from the stand-in of `tests.support.hugging_face`: the hub itself cannot be asked by tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import DependencyFailed, Invalid, NotFound
from models.sentiment.pull.hub import Hub, is_hub_id
from tests.support.hugging_face import COMMIT, HubStandIn


@pytest.fixture
def hub_standin(folder: Path) -> Iterator[HubStandIn]:
    (folder / "README.md").write_text("not wanted")
    standin = HubStandIn(folder)
    yield standin
    standin.close()


@pytest.fixture
def hub(hub_standin: HubStandIn, tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path / "cache", hub_standin.url)
    yield made
    made.close()


def test_the_files_of_a_model_are_fetched_at_its_commit(hub: Hub, folder: Path) -> None:
    fetched = hub.fetch("somebody/tiny")
    assert fetched.commit == COMMIT
    assert set(fetched.files) == {"config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"}
    for name in fetched.files:
        assert (fetched.folder / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in fetched.folder.iterdir()) == sorted(fetched.files)


def test_what_was_fetched_is_not_fetched_again(hub: Hub, hub_standin: HubStandIn) -> None:
    hub.fetch("somebody/tiny")
    before = len(hub_standin.requests)
    hub.fetch("somebody/tiny", COMMIT)
    assert not any("resolve" in path or "storage" in path for path in hub_standin.requests[before:])


def test_a_kept_file_that_was_damaged_is_fetched_again(hub: Hub) -> None:
    kept = hub.fetch("somebody/tiny").folder / "model.safetensors"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] + b"\1")
    hub.fetch("somebody/tiny")
    assert kept.read_bytes() == whole


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_bytes_than_are_listed_are_refused(hub: Hub, hub_standin: HubStandIn, name: str) -> None:
    hub_standin.altered.add(name)
    with pytest.raises(DependencyFailed, match=f"^{name}: 127.0.0.1 sent other bytes"):
        hub.fetch("somebody/tiny")


def test_a_model_that_is_not_there_is_told(hub: Hub) -> None:
    with pytest.raises(NotFound, match="has no public model nobody/nothing"):
        hub.fetch("nobody/nothing")


def test_a_model_without_safetensors_is_told_where_to_look(hub: Hub, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(NotFound, match=r"^model\.safetensors: .*can run code.*--revision refs/pr/1"):
        hub.fetch("somebody/tiny")


def test_a_hub_that_does_not_answer_is_told_with_what_to_do(tmp_path: Path, hub_standin: HubStandIn) -> None:
    hub_standin.close()
    with pytest.raises(
        DependencyFailed, match=r"no answer from 127\.0\.0\.1: .*--from, or give a mirror with --base-url"
    ):
        Hub(tmp_path, hub_standin.url).fetch("somebody/tiny")


@pytest.mark.parametrize("revision", ["../main", "a b", "refs/pr/1/../../x"])
def test_what_is_no_revision_is_refused(hub: Hub, revision: str) -> None:
    with pytest.raises(Invalid, match="is no revision"):
        hub.fetch("somebody/tiny", revision)


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("winegarj/distilbert-base-uncased-finetuned-sst2", True),
        ("distilbert-base-uncased", True),
        ("./folder", False),
        ("/tmp/folder", False),  # noqa: S108 - a name, not a file
        ("a/b/c", False),
        ("../up", False),
        ("a..b/c", False),
    ],
)
def test_ids_of_the_hub_are_told_from_folders(text: str, is_id: bool) -> None:
    assert is_hub_id(text) is is_id
