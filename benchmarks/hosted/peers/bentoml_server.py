"""BentoML: one service with one worker, as `bentoml serve` runs it in production."""

import os
import sys

if len(sys.argv) < 3 or not sys.argv[1].isdigit():
    # Within the server that the lines below start.
    sys.argv = [sys.argv[0], "0", os.environ["BENCHMARK_FILES"]]

import bentoml

from benchmarks.hosted.peers import work


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Models:
    def __init__(self) -> None:
        self._iris = work.session("iris")
        self._forest = work.session("forest")

    @bentoml.api
    async def iris(self, rows: list[list[float]]) -> dict[str, list[int]]:
        return {"labels": self._iris(rows).tolist()}

    @bentoml.api
    async def forest(self, rows: list[list[float]]) -> dict[str, list[int]]:
        return {"labels": self._forest(rows).tolist()}


if __name__ == "__main__":
    command = [sys.executable, "-m", "bentoml", "serve", f"{__spec__.name}:Models"]
    environment = os.environ | {"BENCHMARK_FILES": sys.argv[2]}
    more = ["--host", "127.0.0.1", "--port", sys.argv[1], "--api-workers", "1"]
    os.execve(command[0], [*command, *more], environment)  # noqa: S606 - no shell is wanted
