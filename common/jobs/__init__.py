"""The durable job kernel: records, queues, one runner, a worker and a scheduler.

Importing this package imports no SQL: `common.jobs.system` builds what runs. Exported is what executors need.
"""

from common.jobs.errors import Fenced, JobCancelled, JobRefused
from common.jobs.records import Job, Result
from common.jobs.states import Kind, State

__all__ = ["Fenced", "Job", "JobCancelled", "JobRefused", "Kind", "Result", "State"]
