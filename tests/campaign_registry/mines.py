"""Places where a process kills itself: before and after each statement, commit, and change of the share."""

import os
import random
import signal
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from common.storage.directory import DirectoryShare


class Mine:
    """Kills its process at one of the places that it passes, once it is armed.

    Attributes
    ----------
    is_live : whether places count: while something is being done.
    """

    def __init__(self) -> None:
        self._left: int | None = None
        self.is_live = False
        self.tell: Callable[[str], None] = lambda _: None

    def arm(self, rng: random.Random, places: int = 24) -> None:
        """Kill the process at one of the next `places` places."""
        self._left = rng.randrange(places)

    def pass_(self, place: str) -> None:
        """Be at a place."""
        if self._left is None or not self.is_live:
            return
        if self._left == 0:
            self.tell(place)
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1

    def lay(self, engine: sa.Engine) -> None:
        """Put the mine into an engine's statements and commits."""

        def before(*given: Any) -> None:
            self.pass_(f"before {_verb(given[2])}")

        def after(*given: Any) -> None:
            self.pass_(f"after {_verb(given[2])}")

        # `BEGIN` is a statement of its own, a commit is none.
        sa.event.listen(engine, "before_cursor_execute", before)
        sa.event.listen(engine, "after_cursor_execute", after)
        sa.event.listen(engine, "commit", lambda _: self.pass_("before COMMIT"))
        # Given back at once after the commit.
        sa.event.listen(engine, "checkin", lambda *_: self.pass_("after COMMIT"))


class MinedShare(DirectoryShare):
    """A share whose changes pass a mine: before, in the middle, and after."""

    mine: Mine

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        def mined() -> Iterable[bytes]:
            self.mine.pass_("before a file is written")
            for chunk in chunks:
                yield chunk[: len(chunk) // 2]
                self.mine.pass_("in the middle of a file")
                yield chunk[len(chunk) // 2 :]
            self.mine.pass_("before a file has its name")

        size_bytes = super().write(path, mined())
        self.mine.pass_("after a file was written")
        return size_bytes

    def delete(self, path: str) -> bool:
        self.mine.pass_("before a file is deleted")
        gone = super().delete(path)
        self.mine.pass_("after a file was deleted")
        return gone


def _verb(statement: str) -> str:
    return statement.split(None, 1)[0].strip(";").upper() if statement.strip() else "a statement"
