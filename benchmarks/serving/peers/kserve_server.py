"""KServe's Python server: custom models, protocol V1, REST only, one process."""

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from kserve import Model, ModelServer

from benchmarks.serving import work


class Served(Model):
    def __init__(self, name: str, run: Callable[[Any], Sequence[Any]]) -> None:
        super().__init__(name)
        self._run = run
        self.ready = True

    async def predict(self, payload: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
        return {"predictions": self._run(payload["instances"])}


if __name__ == "__main__":
    server = ModelServer(
        http_port=int(sys.argv[1]), workers=1, enable_grpc=False, enable_latency_logging=False, event_loop="uvloop"
    )
    logging.getLogger("uvicorn.access").disabled = True
    server.start([Served("add_one", work.add_one), Served("iris", work.iris()), Served("forest", work.forest())])
