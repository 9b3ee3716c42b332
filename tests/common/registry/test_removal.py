"""Versions and models are deleted, and described anew."""

from typing import Any

import pytest

from common.errors import Conflict, Invalid, NotFound
from common.registry.service import Registry
from tests.common.registry.test_registry import WHO, publish


def test_a_deleted_version_is_gone_and_its_number_is_not_given_again(registry: Registry) -> None:
    for _ in range(3):
        publish(registry)
    registry.delete_version("housing", 3)
    registry.delete_version("housing", 1)
    with pytest.raises(NotFound, match="has no version 3; it has version 2"):
        registry.get("housing", 3)
    assert publish(registry).number == 4
    assert [version.number for version in registry.list_versions("housing")] == [4, 2]


def test_a_version_that_an_alias_points_to_is_not_deleted(registry: Registry) -> None:
    publish(registry, alias="default")
    registry.set_alias("housing", "candidate", 1)
    with pytest.raises(Conflict, match="version 1 of housing is what candidate, default points to"):
        registry.delete_version("housing", 1)
    assert registry.resolve("housing").number == 1


def test_a_deleted_model_is_in_no_list_and_its_numbers_are_not_given_again(registry: Registry) -> None:
    publish(registry, alias="default")
    publish(registry, alias="default")
    registry.describe("housing", description="prices", tags=["old"])
    assert registry.delete_model("housing") == 2
    assert registry.list_models() == []
    with pytest.raises(NotFound, match="models with versions: none"):
        registry.resolve("housing")
    assert publish(registry).number == 3
    entry = registry.get_model("housing")
    assert (entry.description, entry.tags, entry.aliases, entry.count) == ("", {}, {}, 1)


@pytest.mark.parametrize("model", ["other", "\0", "housing/.."])
def test_what_is_not_there_cannot_be_deleted(registry: Registry, model: str) -> None:
    with pytest.raises(NotFound):
        registry.delete_model(model)
    with pytest.raises(NotFound):
        registry.delete_version(model, 1)
    with pytest.raises(NotFound):
        registry.describe(model, description="x")


def test_a_description_and_tags_change_without_a_new_version(registry: Registry) -> None:
    publish(registry, alias="default")
    assert registry.resolve("housing").tags == {}
    registry.describe("housing", 1, description="the first", tags={"team": "blue"})
    registry.describe("housing", 1, tags={"team": "red"})
    registry.describe("housing", description="prices of houses")
    version = registry.resolve("housing")
    assert (version.number, version.description, version.tags) == (1, "the first", {"team": "red"})
    assert registry.get_model("housing").description == "prices of houses"


@pytest.mark.parametrize(
    "more",
    [
        {"description": "x" * 10_001},
        {"tags": {"": "x"}},
        {"tags": {"a b": "x"}},
        {"tags": {"a": "x" * 1001}},
        {"tags": {"a": 1}},
        {"tags": [f"t{number}" for number in range(51)]},
    ],
)
def test_what_cannot_be_told_is_refused_before_anything_is_written(registry: Registry, more: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        registry.publish("housing", {"a": b"x"}, **WHO, **more)
    assert registry.blobs.share.find() == []
