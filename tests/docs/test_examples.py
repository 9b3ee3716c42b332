"""Every example of the README and the docs: written right, and either run by a test or listed with the reason."""

import ast
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.submission.clusters import read
from common.submission.task_config import read_config
from tests.docs import left_out
from tests.support.blocks import Block, blocks, pages
from tests.support.markdown import page
from tests.support.servers import CHECKOUT
from tests.support.terminal import WHOLE, command_of

CLUSTERS = ("clusters.md", "kubernetes.md")

# Pages whose examples a test of their own runs, all of them. The others are run by test_pages.py, but for left_out.py.
RUN = {
    "api.md": "tests/jobs/test_callbacks_system.py",
    "backup.md": "tests/docs/test_backup.py",
    "cli.md": "tests/common/cli/test_docs.py",
    "client.md": "tests/common/client/test_docs.py",
    "countries.md": "tests/models/countries/test_docs.py",
    "housing.md": "tests/models/housing/test_docs.py",
    "imputation.md": "tests/models/imputation/test_batch.py",
    "inference-protocol.md": "tests/common/serving/oip/test_docs.py",
    "kubernetes.md": "tests/docs/test_examples.py",
    "survey.md": "tests/models/survey/test_docs.py",
    "timeseries.md": "tests/models/timeseries/test_docs.py",
    "tutorial-hosted.md": "tests/system/test_tutorial_hosted.py",
    "tutorial.md": "tests/docs/test_tutorial.py",
}


def followed() -> set[str]:
    """The pages that test_pages.py follows, block by block."""
    text = (CHECKOUT / "tests/docs/test_pages.py").read_text(encoding="utf-8")
    return set(re.findall(r"follow\(\s*terminal,\s*\"([\w.-]+)\"", text))


def test_every_page_with_examples_is_run_or_listed_once() -> None:
    # Of sentiment.md other tests run what can be run, as its list says.
    listed = [*RUN, *followed(), *left_out.PAGES, "sentiment.md"]
    assert sorted(listed) == sorted({block.page for block in blocks("sh", "python", "json")})


@pytest.mark.parametrize(("name", "where"), RUN.items())
def test_the_test_that_runs_a_page_names_it(name: str, where: str) -> None:
    assert name in pages()
    assert name in (CHECKOUT / where).read_text(encoding="utf-8")


def test_what_is_left_out_is_there_and_the_test_that_runs_it_instead_too() -> None:
    for name, given in left_out.BLOCKS.items():
        found = [block for block in blocks("sh", "python", "json") if block.page == name]
        for key, reason in given.items():
            whole = key.removesuffix(WHOLE)
            lines = [command_of(line) for block in found for line in block.text.splitlines()]
            is_there = any(block.text.startswith(whole) for block in found) if key != whole else key in lines
            assert is_there, f"{name}: {key}"
            for path in re.findall(r"tests/[\w/.]+", reason):
                assert (CHECKOUT / path.rstrip(".")).exists(), f"{name}: {path}"


def test_of_pages_with_a_test_of_their_own_every_block_of_sentiment_is_listed() -> None:
    keys = [key.removesuffix(WHOLE) for key in left_out.BLOCKS["sentiment.md"]]
    for block in blocks("sh", "python", "json"):
        if block.page == "sentiment.md" and "curl " not in block.text:
            assert any(block.text.startswith(key) for key in keys), block


def test_the_reader_of_the_docs_is_told_what_was_not_run() -> None:
    told = page("faq.md").partition("**Were the commands of these pages tried?**")[2].partition("\n**")[0]
    for name in [*left_out.PAGES, *left_out.BLOCKS]:
        assert name in told, f"docs/faq.md does not say that some of {name} is run by no test"


@pytest.mark.parametrize("language", ["toml", "yaml"])
def test_what_is_shown_as_a_file_of_settings_can_be_read(language: str) -> None:
    found = blocks(language)
    assert len(found) > 1
    for block in found:
        read = tomllib.loads(block.text) if language == "toml" else yaml.safe_load(block.text)
        assert read, block


@pytest.mark.parametrize("block", [block for block in blocks("toml") if block.page in CLUSTERS], ids=str)
def test_clusters_that_are_shown_are_taken(block: Block, tmp_path: Path) -> None:
    secrets = dict.fromkeys(re.findall(r"env:(\w+)", block.text), "secret")
    assert set(tomllib.loads(block.text)) <= set(read(block.text, secrets, state_dir=tmp_path))


def test_the_spark_application_of_the_page_on_kubernetes_is_a_config_that_is_taken() -> None:
    (block,) = [block for block in blocks("json") if block.page == "kubernetes.md"]
    assert read_config(json.loads(block.text)).fields["name"] == "wordcount"


def test_what_is_shown_as_json_is_json() -> None:
    for block in blocks("json"):
        try:
            # Three dots stand for more of the same.
            json.loads(block.text.replace(", …", ""))
        except ValueError as error:
            pytest.fail(f"{block}: {error}")


def test_what_is_shown_as_python_is_python() -> None:
    for block in blocks("python"):
        ast.parse(block.text, str(block))


def test_what_is_shown_for_a_shell_can_be_read_by_one() -> None:
    for block in blocks("sh"):
        read = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, ""), block


def test_every_command_of_atoll_that_is_shown_exists() -> None:
    from common.cli.commands import COMMANDS

    known = {name for section in COMMANDS.values() for name in section}
    shown = {
        (found[1], str(block))
        for block in blocks("sh")
        for found in re.finditer(r"(?:^|[|;(] *|/)atoll ([a-z]+)\b", block.text, re.MULTILINE)
    }
    assert len(shown) > 50
    assert sorted((name, where) for name, where in shown if name not in known and name != "scaleout") == []
