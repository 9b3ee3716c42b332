"""Scripts that ask Atoll as their users' programs do, by clients of others; each prints one JSON object.

They run in environments of their own (`tests/support/environments.py`), with nothing of Atoll.
"""
