"""What the peer needs, in an environment of its own: no dependency of Atoll."""

from importlib.metadata import version

from benchmarks.peers import Environment, Way

_TORCH = "torch==2.13.0"
_REST = (
    "transformers==5.23.0",
    "fastapi-cache2==0.2.2",
    # As Atoll is measured with.
    *(f"{name}=={version(name)}" for name in ("fastapi", "pydantic", "redis", "uvicorn", "uvloop", "httptools")),
)
# The build for CPUs where pip can find one; the other one brings CUDA, which is not used.
TRANSFORMERS = Environment("transformers", (Way((f"{_TORCH}+cpu", *_REST)), Way((_TORCH, *_REST))))
