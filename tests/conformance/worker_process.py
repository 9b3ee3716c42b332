"""Runs Microsoft's worker library as its worker process does; a script for Python 3.13, started by `worker.py`.

Each line of stdin is a `StreamingMessage` as JSON, in place of the gRPC stream; each answer is a line on stdout. As in
the worker, a thread reads, every message becomes a task of one event loop, and an application directory comes last on
the import path.
"""

import asyncio
import json
import os
import runpy
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import azure_functions_runtime as library
from google.protobuf import json_format

protos: SimpleNamespace = runpy.run_path(str(Path(__file__).with_name("function_rpc.py")))["build"]()


async def answer(message: Any) -> Any:
    """Hand one message to the library and wrap what it returns."""
    kind = message.WhichOneof("content")
    request = SimpleNamespace(name=kind, request=message, properties={"protos": protos, "host": "127.0.0.1"})
    reply = protos.StreamingMessage(request_id=message.request_id)
    match kind:
        case "worker_init_request":
            sys.path.append(message.worker_init_request.function_app_directory)
            library.start_threadpool_executor()
            reply.worker_init_response.CopyFrom(await library.worker_init_request(request))
        case "function_environment_reload_request":
            library.start_threadpool_executor()
            response = await library.function_environment_reload_request(request)
            reply.function_environment_reload_response.CopyFrom(response)
        case "functions_metadata_request":
            reply.function_metadata_response.CopyFrom(await library.functions_metadata_request(request))
        case "function_load_request":
            reply.function_load_response.CopyFrom(await library.function_load_request(request))
        case "invocation_request":
            reply.invocation_response.CopyFrom(await library.invocation_request(request))
        case _:
            raise ValueError(f"no such message: {kind}")
    return reply


async def serve(requests: TextIO, answers: TextIO) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def dispatch(message: Any) -> None:
        # Over the wire and back, so that only what protobuf can carry arrives.
        reply = await answer(protos.StreamingMessage.FromString(message.SerializeToString()))
        reply = protos.StreamingMessage.FromString(reply.SerializeToString())
        told = json_format.MessageToDict(
            reply, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        answers.write(json.dumps(told) + "\n")
        answers.flush()

    def start(message: Any) -> None:
        task = loop.create_task(dispatch(message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def read() -> None:
        for line in requests:
            message = json_format.ParseDict(json.loads(line), protos.StreamingMessage())
            loop.call_soon_threadsafe(start, message)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    await ended.wait()


def main() -> None:
    # What the app prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(serve(sys.stdin, answers))


if __name__ == "__main__":
    main()
