"""KServe's Python server: custom models, protocol V2 with binary tensors, REST only, one process."""

import logging
import sys
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

from benchmarks.hosted.peers import work


class Served(Model):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._run = work.session(name)
        self.ready = True

    async def predict(self, payload: InferRequest, headers: dict[str, str] | None = None, *_: Any) -> InferResponse:
        found = self._run(payload.inputs[0].as_numpy())
        is_binary = (payload.parameters or {}).get("binary_data_output", False)
        output = InferOutput(work.LABEL, list(found.shape), "INT64")
        output.set_data_from_numpy(found, binary_data=bool(is_binary))
        return InferResponse(payload.id or "1", self.name, [output])


if __name__ == "__main__":
    server = ModelServer(
        http_port=int(sys.argv[1]), workers=1, enable_grpc=False, enable_latency_logging=False, event_loop="uvloop"
    )
    logging.getLogger("uvicorn.access").disabled = True
    server.start([Served(name) for name in work.MODELS])
