"""MLflow for tasks: what a program is told so that its runs can be found, and what they recorded. MLflow is not needed.

A run of a task carries the tag `atoll.task` with the submission's name: MLflow itself puts it on every run that a
program with this environment starts.
"""

from common.submission.tracking.environment import check, environment, folder_of, is_server
from common.submission.tracking.merge import merge
from common.submission.tracking.read import read
from common.submission.tracking.run import TrackedRun

__all__ = ["TrackedRun", "check", "environment", "folder_of", "is_server", "merge", "read"]
