"""The command line: `atoll`, or `python -m common.cli`. `commands` lists them, and the rest what they do to a server.

Exit codes: 0 done; 1 failed, or refused by the server; 2 wrong usage; 3 no server answers; 4 the job failed, is dead or
was cancelled.
"""

from common.cli.app import main
from common.cli.serve import serve

__all__ = ["main", "serve"]
