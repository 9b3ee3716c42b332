"""The command line: `atoll`, or `python -m common.cli`. `app` has the commands, and the rest what they do to a server.

Exit codes: 0 done; 1 failed, or refused by the server; 2 wrong usage; 3 no server answers; 4 the job failed, is dead or
was cancelled.
"""

from common.cli.app import main, serve

__all__ = ["main", "serve"]
