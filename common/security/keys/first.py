"""The first key of an installation, for whoever starts it where others can reach it.

Without it nobody could do anything, not even make a key. It is made once: whichever process of whichever host comes
first makes it, prints it, and leaves a mark in the database by which the others know.
"""

import textwrap
from enum import Enum
from typing import TextIO

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from common.clock import Clock, SystemClock
from common.database import Database
from common.security.audit import audit
from common.security.keys import store
from common.security.keys.record import KeyRecord
from common.security.keys.secret import NewKey, new_key, shown
from common.security.keys.store import KeyStore
from common.security.principal import Principal
from common.security.scopes import Scope
from common.settings import Settings

_LOST = (
    "  admin key there is none that can be used any more; make one on this machine:\n"
    "            atoll keys create NAME --scope admin --local\n"
)
_BY = Principal("first start", "system", frozenset({Scope.ADMIN}), name="first start")
_WIDTH = 78


class Outcome(Enum):
    """What became of the wish for a first key."""

    MADE = "made"
    THERE_IS_ONE = "there is one"
    LOST = "lost"


def make_first(database: Database, clock: Clock) -> tuple[Outcome, NewKey]:
    """Make the first key, unless there is a key with the scope `admin`.

    One that was made once is not made again, even if it was revoked since: whoever starts a server need not be who may
    do everything. The key is of use only if it was made.
    """
    now = clock.now()
    made = new_key()
    record = KeyRecord(
        id=made.id,
        digest=made.digest,
        name="first key",
        scopes=frozenset({Scope.ADMIN}),
        models=None,
        created_at=now,
        created_by=_BY.id,
    )

    def work(connection: Connection) -> Outcome:
        if any(Scope.ADMIN in key.scopes for key in store.active(connection, now)):
            return Outcome.THERE_IS_ONE
        if not store.set_first(connection, made.id, now):
            return Outcome.LOST
        store.insert(connection, record)
        audit("key.created", by=_BY, target=shown(made.id), connection=connection, name=record.name, scopes="admin")
        return Outcome.MADE

    return KeyStore(database).change(work, now), made


def ensure_first(settings: Settings, out: TextIO) -> None:
    """Make the first key if it is needed, and print it. Never keeps the server from starting.

    Parameters
    ----------
    out : the terminal of whoever starts the server; no log.
    """
    database = Database.build(settings)
    try:
        database.migrate()
        outcome, made = make_first(database, SystemClock())
    except (SQLAlchemyError, OSError) as exc:
        out.write(
            f"  admin key the database cannot be used ({type(exc).__name__}), so none was made. When it can, run\n"
            "            `atoll keys create NAME --scope admin --local` here, or set ATOLL_ADMIN_KEY\n"
        )
    else:
        if outcome is not Outcome.THERE_IS_ONE:
            out.write(_framed(made) if outcome is Outcome.MADE else _LOST)
    finally:
        database.close()
    out.flush()


def _framed(made: NewKey) -> str:
    """The key, so that nobody overlooks it among the other lines of a start."""
    rule = "=" * _WIDTH
    told = (
        "The first admin key of this installation. It is printed this once, and only its hash is kept: put it where "
        "you keep passwords. With it in ATOLL_KEY, `atoll keys create` makes keys for others, who need less. If it is "
        "lost, `atoll keys create NAME --scope admin --local` on this machine makes another."
    )
    lines = ["", rule, "", f"  {made.text}", "", *textwrap.wrap(told, _WIDTH), rule, ""]
    return "\n".join(lines) + "\n"
