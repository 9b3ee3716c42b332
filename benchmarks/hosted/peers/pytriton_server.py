"""PyTriton: Triton's server with Python functions behind it; protocol V2 with binary tensors."""

import socket
import sys
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.hosted.peers import work


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _served(name: str) -> Any:
    run = work.session(name)

    @batch
    def infer(**inputs: Any) -> dict[str, Any]:
        return {work.LABEL: run(inputs[work.INPUT])[:, None]}

    return infer


if __name__ == "__main__":
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=int(sys.argv[1]),
        grpc_port=_free_port(),
        metrics_port=_free_port(),
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        for name in work.MODELS:
            triton.bind(
                model_name=name,
                infer_func=_served(name),
                inputs=[Tensor(name=work.INPUT, dtype=np.float32, shape=(4,))],
                outputs=[Tensor(name=work.LABEL, dtype=np.int64, shape=(1,))],
                config=ModelConfig(max_batch_size=4096),
            )
        triton.serve()
