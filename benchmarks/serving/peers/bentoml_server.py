"""BentoML: one service with one worker, as `bentoml serve` runs it in production."""

import os
import sys

import bentoml

from benchmarks.serving import work


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Models:
    def __init__(self) -> None:
        self._iris = work.iris()
        self._forest = work.forest()

    @bentoml.api
    async def add_one(self, value: float) -> dict[str, float]:
        return {"result": work.add_one([value])[0]}

    @bentoml.api
    async def iris(self, features: tuple[float, float, float, float]) -> dict[str, int]:
        return {"label": self._iris([features])[0]}

    @bentoml.api
    async def forest(self, features: tuple[float, float, float, float]) -> dict[str, int]:
        return {"label": self._forest([features])[0]}


if __name__ == "__main__":
    command = [sys.executable, "-m", "bentoml", "serve", f"{__spec__.name}:Models"]
    os.execv(command[0], [*command, "--host", "127.0.0.1", "--port", sys.argv[1], "--api-workers", "1"])  # noqa: S606 - no shell is wanted
