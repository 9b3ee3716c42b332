"""LitServe: one API a model, each with one worker process, and one process that answers."""

import sys
from typing import Any

import litserve

from benchmarks.hosted.peers import work


class Served(litserve.LitAPI):
    def __init__(self, name: str) -> None:
        super().__init__(api_path=f"/{name}")
        self._name = name

    def setup(self, device: str) -> None:
        self.run = work.session(self._name)

    def decode_request(self, request: dict[str, Any]) -> Any:
        return request["rows"]

    def predict(self, x: Any) -> Any:
        return self.run(x).tolist()

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"labels": output}


if __name__ == "__main__":
    server = litserve.LitServer([Served(name) for name in work.MODELS], accelerator="cpu", devices=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
