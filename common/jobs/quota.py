"""How many jobs one owner may have open. Counted where they are accepted, so that no race gets past it."""

import sqlalchemy as sa

from common.errors import TooManyRequests
from common.jobs.states import ACTIVE, WAITING
from common.jobs.tables import jobs

# Nobody knows when one of them ends; sooner than this it is not worth asking.
_RETRY_AFTER_S = 10
_OPEN = sorted(WAITING | ACTIVE)
_MINE = jobs.c.owner == sa.bindparam("of_owner")
# Only what the index `jobs_by_owner_and_state` has is asked for: neither others' open jobs nor the many that an owner
# once had are read.
_FIRST = sa.select(jobs.c.state).where(_MINE, jobs.c.state.in_(_OPEN)).limit(sa.bindparam("most")).subquery()
_COUNT = sa.select(sa.func.count()).select_from(_FIRST)


def check_open(connection: sa.Connection, owner: str, most: int) -> None:
    """Refuse one more open job of `owner` than `most`; 0 is any number. Call it before the job is written.

    Raises
    ------
    TooManyRequests
        As many wait or run.
    """
    if not most:
        return
    if connection.dialect.name == "postgresql":
        # Requests of one owner take turns; SQLite's writers do anyway.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(owner, 1))))
    if connection.execute(_COUNT, {"of_owner": owner, "most": most}).scalar_one() >= most:
        raise TooManyRequests(
            f"at most {most} jobs of yours may wait or run; wait until some have ended, or cancel some "
            "(DELETE /jobs/{id})",
            retry_after_s=_RETRY_AFTER_S,
        )
