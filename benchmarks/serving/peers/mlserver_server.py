"""MLServer: custom runtimes, protocol V2, inference in the process that answers (`parallel_workers` 0)."""

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mlserver import MLModel, MLServer
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelSettings, Settings
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving import work


class _Runtime(MLModel):
    work: Callable[[Any], Sequence[Any]]

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        found = np.array(type(self).work(rows))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", found)])


class AddOne(_Runtime):
    work = staticmethod(lambda rows: work.add_one(rows[:, 0]))


class Iris(_Runtime):
    work = staticmethod(lambda rows: work.iris()(rows))


class Forest(_Runtime):
    work = staticmethod(lambda rows: work.forest()(rows))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


async def main(port: int) -> None:
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=port,
        grpc_port=_free_port(),
        metrics_port=_free_port(),
        parallel_workers=0,
    )
    models = {"add_one": AddOne, "iris": Iris, "forest": Forest}
    server = MLServer(settings)
    await server.start([ModelSettings(name=name, implementation=runtime) for name, runtime in models.items()])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
