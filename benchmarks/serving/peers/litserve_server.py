"""LitServe: one API a model, each with one worker process, and one process that answers."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import litserve

from benchmarks.serving import work


class _Api(litserve.LitAPI):
    field: str
    answer: str
    fitted: Callable[[], Callable[[Any], Sequence[Any]]]

    def setup(self, device: str) -> None:
        self.run = type(self).fitted()

    def decode_request(self, request: dict[str, Any]) -> Any:
        return request[self.field]

    def predict(self, x: Any) -> Any:
        return self.run([x])[0]

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {self.answer: output}


class AddOne(_Api):
    field, answer = "value", "result"
    fitted = staticmethod(lambda: work.add_one)


class Iris(_Api):
    field, answer = "features", "label"
    fitted = staticmethod(work.iris)


class Forest(_Api):
    field, answer = "features", "label"
    fitted = staticmethod(work.forest)


if __name__ == "__main__":
    apis = [AddOne(api_path="/add_one"), Iris(api_path="/iris"), Forest(api_path="/forest")]
    server = litserve.LitServer(apis, accelerator="cpu", devices=1, workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
