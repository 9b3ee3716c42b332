"""Each command of docs/tutorial.md, run as a new user would, in a checkout of its own."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blocks import Block, blocks_in
from tests.support.markdown import page
from tests.support.terminal import Terminal

# Sections whose commands are not run, and why.
LEFT_OUT = {"In a container": "needs Docker and its registry", "On Azure": "needs an Azure account"}


class Reader(Terminal):
    """Somebody who follows the page: one terminal for the server, one for commands."""

    def follow(self, block: Block) -> None:
        if block.language == "python":
            (self.folder / "models/rents/__init__.py").write_text(block.text, encoding="utf-8")
        elif block.language == "json":
            given, shown = json.loads(self.output), json.loads(block.text)
            assert {name: given[name] for name in shown} == shown, block
        elif block.language == "text":
            assert self.output.strip() == block.text.strip(), block
        elif block.text == "make run\n":
            self.serve()
        else:
            self.run(block.text)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    # The other models that come with Atoll play no part, and take seconds to start.
    made = Reader(tmp_path, {"SERVICE_MODEL": "sample,rents"})
    yield made
    made.leave()


def sections() -> dict[str, list[Block]]:
    parts = [part.partition("\n") for part in page("tutorial.md").split("\n## ")[1:]]
    return {title: blocks_in(text, f"tutorial.md, {title}") for title, _, text in parts}


def test_each_command_of_the_tutorial_does_what_the_page_says(reader: Reader) -> None:
    followed = [block for title, found in sections().items() if title not in LEFT_OUT for block in found]
    assert [block.text for block in followed].count("make run\n") == 2
    for block in followed:
        reader.follow(block)
        if "plugin check" in block.text:
            lines = reader.output.splitlines()
            assert lines
            assert all(line.startswith("ok") for line in lines), reader.output


def test_the_sections_that_are_not_run_are_there_and_can_be_read_by_a_shell() -> None:
    for title in LEFT_OUT:
        found = sections()[title]
        assert found, title
        for block in found:
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
