"""The one SQL database: SQLite in a file by default, PostgreSQL where `DATABASE_URL` says so.

All state that must survive a process is here: jobs, queues, versions, keys, leases. Only what needs the database
imports this module, because SQLAlchemy takes longer to import than the rest of the app's core.

`durable`: a transaction that promises something to somebody outside (a job was accepted, a version is published) is
on the disk before it returns. Others (a heartbeat, a message taken from the queue) need not be: were they lost with
the machine's power, the work they belong to was lost with it, and is begun again. Neither is ever lost when only a
process dies. This is what lets SQLite do hundreds of jobs a second on a disk that syncs slowly.
"""

from common.database.database import Database
from common.database.types import UtcTime

__all__ = ["Database", "UtcTime"]
