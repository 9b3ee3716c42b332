"""Queues of an Azure storage account; Azurite in tests. The Functions host and KEDA read the same ones."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import (
    QueueClient,
    QueueServiceClient,
    TextBase64DecodePolicy,
    TextBase64EncodePolicy,
)

from common.errors import SettingsError
from common.jobs.queues.base import POISON, Depth, Message

T = TypeVar("T")

# The Functions host reads messages as base64 by default; 48 KiB become 64, the most that a message may have.
MAX_BYTES = 48 * 1024
# Azure gives at most so many at once, keeps a message for seven days by default, and hides it for as long at most.
_MAX_RECEIVED = 32
_LONGEST_DELAY_S = 7 * 24 * 3600 - 60
_TIMEOUT_S = 30


class AzureQueue:
    """Messages in Azure Storage, base64 as the Functions host expects. A queue is made when it is first sent to.

    `poll_s`: each look is a request that costs money; in the same process `send` wakes whoever waits.
    """

    poll_s = 1.0

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}
        self._arrived = threading.Event()

    @classmethod
    def from_connection_string(cls, text: str) -> "AzureQueue":
        """`UseDevelopmentStorage=true` is Azurite at its usual address."""
        try:
            return cls(QueueServiceClient.from_connection_string(text, **_options()))
        except ValueError:
            # The library's message may quote the string, which holds the account's key.
            raise SettingsError("AzureWebJobsStorage is not a connection string of a storage account") from None

    @classmethod
    def from_uri(cls, uri: str) -> "AzureQueue":
        """Log in with the identity of the machine (workload identity, managed identity, `az login`)."""
        try:
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise SettingsError(
                "AzureWebJobsStorage__queueServiceUri needs the package azure-identity; install it, or set "
                "AzureWebJobsStorage to a connection string"
            ) from None
        return cls(QueueServiceClient(uri, DefaultAzureCredential(), **_options()))

    def send(self, queue: str, job_id: str, delay_s: float = 0.0) -> None:
        if len(job_id.encode()) > MAX_BYTES:
            raise ValueError(f"a message is at most {MAX_BYTES} bytes before base64")
        client = self._client(queue)
        # Whole seconds, rounded up: a message must not come before its job is due.
        hidden_s = min(-int(-delay_s // 1), _LONGEST_DELAY_S)
        # A message that waits longer than the seven days of the default would vanish.
        send = partial(client.send_message, job_id, visibility_timeout=hidden_s, time_to_live=-1)
        self._creating(client, send)
        self._arrived.set()

    def ready(self, queues: Sequence[str]) -> Sequence[str]:
        return queues

    def receive(self, queue: str, limit: int, visibility_s: float) -> list[Message]:
        wanted = min(limit, _MAX_RECEIVED)
        try:
            pages = self._client(queue).receive_messages(
                messages_per_page=wanted, max_messages=wanted, visibility_timeout=max(1, round(visibility_s))
            )
            return [
                Message(m.id, queue, str(m.content).strip(), m.pop_receipt or "", m.dequeue_count or 1) for m in pages
            ]
        except ResourceNotFoundError:
            # Nothing was ever sent to it.
            return []

    def renew(self, message: Message, visibility_s: float) -> Message | None:
        try:
            updated = self._client(message.queue).update_message(
                message.id, pop_receipt=message.receipt, visibility_timeout=round(visibility_s)
            )
        except HttpResponseError as exc:
            if _is_gone(exc):
                return None
            raise
        if visibility_s <= 0:
            self._arrived.set()
        receipt = updated.pop_receipt or message.receipt
        return Message(message.id, message.queue, message.job_id, receipt, message.dequeue_count)

    def delete(self, message: Message) -> None:
        try:
            self._client(message.queue).delete_message(message.id, pop_receipt=message.receipt)
        except HttpResponseError as exc:
            if not _is_gone(exc):
                raise

    def poison(self, message: Message) -> None:
        client = self._client(message.queue + POISON)
        self._creating(client, partial(client.send_message, message.job_id, time_to_live=-1))
        self.delete(message)

    def depth(self, queue: str) -> Depth:
        try:
            return Depth(self._client(queue).get_queue_properties().approximate_message_count or 0)
        except ResourceNotFoundError:
            return Depth(0)

    def wait(self, timeout_s: float) -> None:
        self._arrived.wait(timeout_s)
        self._arrived.clear()

    def wake(self) -> None:
        self._arrived.set()

    def close(self) -> None:
        self._service.close()

    def _client(self, queue: str) -> QueueClient:
        client = self._clients.get(queue)
        if client is None:
            client = self._clients[queue] = self._service.get_queue_client(
                queue,
                message_encode_policy=TextBase64EncodePolicy(),
                message_decode_policy=TextBase64DecodePolicy(),
            )
        return client

    @staticmethod
    def _creating(client: QueueClient, call: Callable[[], T]) -> T:
        try:
            return call()
        except ResourceNotFoundError:
            # Unless another process was first.
            with contextlib.suppress(ResourceExistsError):
                client.create_queue()
            return call()


def _options() -> dict[str, Any]:
    # The default waits a minute for a connection, and for longer with each of its retries.
    return {"connection_timeout": 5, "read_timeout": _TIMEOUT_S, "retry_total": 2}


def _is_gone(exc: HttpResponseError) -> bool:
    """Deleted, or received by another one since (its receipt does not match any more)."""
    return exc.status_code == 404 or exc.error_code == "PopReceiptMismatch"  # type: ignore[attr-defined]  # set by the storage libraries
