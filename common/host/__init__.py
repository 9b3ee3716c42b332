"""The local host: `create_app()` under uvicorn, on one machine with nothing but Python.

`python -m common.host --help` lists its options; each has a setting of the same meaning.
"""
