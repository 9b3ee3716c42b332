"""The registry's campaign: processes that publish, switch, share, delete and collect, killed in the middle of it.

`python -m tests.campaign_registry --help` says how to run it; `docs/reliability.md` shows what came of it.
"""
