"""Somebody who follows a page of the docs: a checkout of their own, a server, and a terminal for commands."""

import contextlib
import json
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.blocks import Block, blocks_in, pages
from tests.support.checkout import checkout_environment, copy_checkout
from tests.support.servers import Server, environment, wait_for

# As pages call the server: this machine's, or somebody's.
_HERE = re.compile(r"(?:http://(?:127\.0\.0\.1|localhost):7071|\blocalhost:7071|https://atoll\.example\.org)")
_ID = re.compile(r"\b[0-9a-z]{27}\b")
# Behind the beginning of a block that is left out as a whole.
WHOLE = " …"
# Of Ctrl-C: what a command gets to hear it, and how often it is pressed.
_HEARD_S, _PRESSES = 15.0, 3
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z")


class Terminal:
    """Runs commands of pages against a server.

    Attributes
    ----------
    said : what stands in a page -> what is to be in its place, such as the id of a job.
    output : of the last command.
    """

    def __init__(self, folder: Path, env: dict[str, str] | None = None) -> None:
        self.folder = copy_checkout(folder)
        self.state = folder / ".atoll"
        self.variables = {**checkout_environment(folder), **(env or {})}
        self.said: dict[str, str] = {}
        self.output = ""
        self.server: Server | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    def serve(self) -> Server:
        """`make run`, whose recipe this is: the environment is there. A server that runs is ended before."""
        self.leave()
        self.server = Server(self.state, folder=self.folder, env=self.variables)
        return self.server

    def leave(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    def text(self, command: str) -> str:
        """The command as it is run here."""
        for shown, real in self.said.items():
            command = command.replace(shown, real)
        return _HERE.sub(self.url, command)

    def environment(self) -> dict[str, str]:
        return environment(self.state, {**self.variables, "ATOLL_URL": self.url})

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.text(command)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        self.output = done.stdout
        return self.output

    def run_until(self, command: str, shown: str) -> None:
        """Run what goes on until it is ended, and end it as Ctrl-C does once it has shown a line with the pattern."""
        log = self.folder / "background.log"
        with log.open("wb") as told, _hearing_ctrl_c():
            process = subprocess.Popen(
                shlex.split(self.text(command)),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(
                lambda: re.search(shown, log.read_text(encoding="utf-8")),
                f"{shown!r} of {command}",
                lambda: None if process.poll() is None else log.read_text(encoding="utf-8"),
            )
            _interrupt(process)
        finally:
            process.kill()
            process.wait()

    def compare(self, block: Block) -> None:
        """The last output is the JSON that the page shows. A page may leave members out; ids are learnt for later."""
        given, shown = json.loads(self.output), json.loads(block.text)
        assert_like(given, shown, str(block))
        if isinstance(shown, dict) and isinstance(shown.get("id"), str):
            self.said[shown["id"]] = given["id"]


def assert_like(given: Any, shown: Any, where: str) -> None:
    """The same, but for members that the page leaves out, ids, times, and digits that it rounds away."""
    if isinstance(shown, dict):
        assert isinstance(given, dict), where
        assert sorted(set(shown) - set(given)) == [], where
        for name, value in shown.items():
            assert_like(given[name], value, f"{where}: {name}")
    elif isinstance(shown, list):
        assert isinstance(given, list), where
        assert len(given) == len(shown), where
        for number, (one, other) in enumerate(zip(given, shown, strict=True)):
            assert_like(one, other, f"{where}[{number}]")
    elif isinstance(shown, float):
        assert round(given, 3) == shown, where
    elif isinstance(shown, str) and isinstance(given, str):
        assert _plain(given) == _plain(shown), where
    else:
        assert given == shown, where


def _plain(text: str) -> str:
    return _TIME.sub("TIME", _ID.sub("ID", text))


def follow(
    terminal: Terminal,
    name: str,
    *,
    leave_out: Mapping[str, str],
    before: Mapping[str, Callable[[], object]] | None = None,
    instead: Mapping[str, Callable[[Block], object]] | None = None,
) -> None:
    """Do all that a page shows, in its order: commands are run, and JSON after one is what it answered.

    Parameters
    ----------
    leave_out : a line, or the beginning of a block with ` …` behind it -> why it is not run here.
    before : beginning of a block -> what is to be done before it, as the text around it has it.
    instead : beginning of a block -> what is done in its place: Python in a file, a command that does not end.

    What is named and not found fails, so that nothing is left out unseen.
    """
    before, instead = before or {}, instead or {}
    whole = {key.removesuffix(WHOLE) for key in leave_out if key.endswith(WHOLE)}
    lines = {key for key in leave_out if not key.endswith(WHOLE)}
    named = {*before, *instead, *whole, *lines}
    for block in blocks_in(pages()[name].read_text(encoding="utf-8"), name):
        if block.language not in ("sh", "python", "json"):
            continue
        begins = {key for key in (*before, *instead, *whole) if block.text.startswith(key)}
        named -= begins
        for key in begins & set(before):
            before[key]()
        if begins & whole:
            continue
        own = [instead[key] for key in begins & set(instead)]
        if own:
            own[0](block)
        elif block.language == "sh":
            kept = [line for line in block.text.splitlines() if command_of(line) not in lines]
            named -= {command_of(line) for line in block.text.splitlines()}
            if kept:
                terminal.run("\n".join(kept))
        elif block.language == "json":
            terminal.compare(block)
        else:
            raise AssertionError(f"{block}: say what is to be done with it")
    assert sorted(named) == [], f"{name} has no such block or line"


def command_of(line: str) -> str:
    """A line without the remark at its end."""
    return re.split(r"\s{2,}#", line)[0].strip()


@contextlib.contextmanager
def _hearing_ctrl_c() -> Iterator[None]:
    """Programs that are started hear it, also where a script runs the tests with `&`: such a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C, and again where it is not heard: Python drops what its own callbacks raise, as after imports."""
    for _ in range(_PRESSES):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_HEARD_S)
            return
    raise AssertionError(f"{process.args!r} goes on after Ctrl-C")
