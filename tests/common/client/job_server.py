"""A server with the sample model and one whose jobs wait for a file, for the client and its commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.plugins import write_plugin
from tests.support.servers import Server

SLOW = """
import asyncio
from pathlib import Path
from fastapi import APIRouter, Request
from pydantic import BaseModel
from common.errors import Conflict
from common.jobs import Kind
from common.plugins import Plugin

router = APIRouter(prefix="/slow_model")

class Body(BaseModel):
    until: str = ""
    refuse: bool = False
    takes_s: float = 0

@router.post("/predict")
async def predict(body: Body) -> dict[str, str]:
    if body.refuse:
        raise Conflict("it will not")
    while body.until and not Path(body.until).exists():
        await asyncio.sleep(0.02)
    return {"found": body.until}

@router.post("/train")
async def train(body: Body, request: Request, parallel_trials: int = 1):
    from common.jobs.http import accept
    path = f"/slow_model/predict?parallel_trials={parallel_trials}"
    return await accept(request, Kind.PREDICTION, path=path, body=await request.body(), model="slow")

@router.post("/publish")
def publish(request: Request) -> int:
    registry = request.app.state.runtime.registry
    return registry.publish("slow", {"a.bin": b"1"}, author="test", code_version="1").number

plugin = Plugin(estimate=lambda body: body.takes_s)
"""


@pytest.fixture(scope="session")
def job_server(shared_state: Path) -> Iterator[Server]:
    state = shared_state / "jobs"
    plugins = write_plugin(state / "plugins", "slow", SLOW)
    env = {"SERVICE_MODEL": "sample,slow", "ATOLL_PLUGIN_PATH": str(plugins), "JOB_CONCURRENCY": "4"}
    server = Server(state, env=env)
    yield server
    server.stop()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file for which jobs wait; there at last in any case, so that none is left behind."""
    path = tmp_path / "gate"
    yield path
    path.touch()
