"""The audit log: who did what to what, when and from where. One log line and one row of the database each.

`audit` is all that others need; `/audit` and `atoll audit` show the rows.
"""

from common.security.audit.log import audit, recording
from common.security.audit.record import Record

__all__ = ["Record", "audit", "recording"]
