"""The same ONNX files as each peer's documentation has them served. They run in environments of their own.

Each is started by `python -m benchmarks.hosted.peers.NAME PORT FOLDER`, and serves `iris` and `forest`.
"""
