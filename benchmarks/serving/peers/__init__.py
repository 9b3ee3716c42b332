"""The same models as each peer's documentation has it served. They run in environments of their own, without Atoll.

Each is started by `python -m benchmarks.serving.peers.NAME PORT`, and serves both `add_one` and `iris`.
"""
