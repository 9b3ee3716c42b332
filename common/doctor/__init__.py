"""`atoll doctor`: looks at a checkout, or where Atoll is deployed, and says what is wrong and what to do about it.

What can be decided from files and variables alone is decided by pure functions (`host_file`, `interpreter`, `package`,
`variables`, `plain_secrets`); `reach` and `process` try real things, each within a time-out. Nothing is changed: no
table, file or queue is made.
"""

from common.doctor.examine import CHECKS, Subject, examine
from common.doctor.finding import Finding, Level, worst

__all__ = ["CHECKS", "Finding", "Level", "Subject", "examine", "worst"]
