from typing import Any

import pytest

from common.errors import Invalid
from common.submission.runners.slurm.config import SlurmConfig
from common.submission.runners.slurm.containers import check_image, image_names


def config(**more: Any) -> SlurmConfig:
    return SlurmConfig.model_validate({
        "name": "lab", "kind": "slurm-ssh", "folder": "/a", "containers": "apptainer", "images": "/images", **more,
    })  # fmt: skip


def test_files_of_images_go_by_their_names_without_the_suffix() -> None:
    assert image_names(["b.sif", "a.sif", "readme.txt", "folder/", "x.sqfs"], "apptainer") == ("a", "b")


def test_charliecloud_keeps_folders_and_squash_files() -> None:
    assert image_names(["a/", "b.sqfs", "c.sif"], "charliecloud") == ("a", "b")


def test_an_image_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Invalid, match="has no such image; it has a, b"):
        check_image("c", config(), ("a", "b"))


@pytest.mark.parametrize("image", ["a", "a.sif", None])
def test_an_image_that_is_there_is_taken(image: str | None) -> None:
    check_image(image, config(), ("a", "b"))


@pytest.mark.parametrize("image", ["x/../../etc", "sub/a", "docker://a"])
def test_a_path_is_no_name_of_an_image(image: str) -> None:
    with pytest.raises(Invalid, match="holds no slash"):
        check_image(image, config(), None)


def test_a_cluster_without_containers_takes_no_image() -> None:
    with pytest.raises(Invalid, match="runs no containers"):
        check_image("a", config(containers="none", images=None), None)


def test_images_can_be_limited_to_a_list() -> None:
    with pytest.raises(Invalid, match="allows a"):
        check_image("b", config(allowed_images=["a"]), ("a", "b"))


def test_without_a_folder_of_images_a_source_is_asked_for() -> None:
    check_image("docker://python:3.11", config(images=None), None)
    with pytest.raises(Invalid, match="no folder of images"):
        check_image("python", config(images=None), None)
