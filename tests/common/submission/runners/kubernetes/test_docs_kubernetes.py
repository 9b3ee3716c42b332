"""What docs/kubernetes.md shows is what can be used."""

import re
import tomllib
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.settings import CHECKOUT
from common.submission.kinds import KINDS
from common.submission.runners.spark.config import SparkConfig
from common.submission.runners.spark.runner import SparkRunner
from common.submission.spec import TaskSpec
from tests.support.k8s_standin import complaints

TEXT = (CHECKOUT / "docs" / "kubernetes.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_sections_of_clusters_toml_can_be_used_as_they_are() -> None:
    for block in _blocks("toml"):
        for name, section in tomllib.loads(block).items():
            assert KINDS[section["kind"]].config_class().model_validate({"name": name, **section}).name == name


def test_the_role_fits_kubernetes_own_schema(tmp_path: Path) -> None:
    (role,) = map(yaml.safe_load, _blocks("yaml"))
    assert complaints([role], tmp_path) == []


def test_the_application_can_be_submitted() -> None:
    (block,) = _blocks("json")
    config = SparkConfig(name="spark", default_image="spark:3.5.3", claim="c", share="/mnt")
    SparkRunner(config).check(TaskSpec.model_validate_json(block))
