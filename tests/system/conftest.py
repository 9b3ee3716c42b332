from pathlib import Path

import pytest

from tests.support.plugins import write_plugin

# Answers when the file `go` appears beside it, and tells that it has begun by the file `begun`.
SLOW = """
    import asyncio
    import os
    from pathlib import Path
    from fastapi import APIRouter

    router = APIRouter(prefix="/slow")
    here = Path(__file__).parent

    @router.get("/wait")
    async def wait() -> str:
        (here / "begun").touch()
        while not (here / "go").exists():
            await asyncio.sleep(0.01)
        return "finished"

    @router.get("/process")
    async def process() -> int:
        return os.getpid()

    @router.post("/fail")
    async def fail(body: dict[str, str]) -> str:
        password = "hunter2" + "-local"
        raise RuntimeError("cannot log in")
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """The folder of a plugin `slow`; its parent is the plugin path."""
    return write_plugin(tmp_path / "plugins", "slow", SLOW) / "slow"
