"""MLServer: custom runtimes, protocol V2, inference in the process that answers (`parallel_workers` 0)."""

import asyncio
import socket
import sys

from mlserver import MLModel, MLServer
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelSettings, Settings
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.hosted.peers import work


class Runtime(MLModel):
    async def load(self) -> bool:
        self._run = work.session(self.name)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        found = self._run(self.decode(payload.inputs[0], default_codec=NumpyCodec))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output(work.LABEL, found)])


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
    await MLServer(settings).start([ModelSettings(name=name, implementation=Runtime) for name in work.MODELS])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
