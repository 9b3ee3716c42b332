"""The reliability campaign: real processes, killed and cut off at random, and a count of what was lost or doubled.

`python -m tests.campaign --help` says how to run it; `docs/reliability.md` shows what came of it.
"""
