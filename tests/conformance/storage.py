"""The host's side of a storage account: it takes messages from queues and hands them to functions."""

import base64
from datetime import datetime

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueServiceClient

from tests.conformance.worker import QueueMessage


class Storage:
    """Queues whose messages hold base64, as `host.json` says."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service

    def take(self, queue: str, body: str) -> QueueMessage | None:
        """The visible message with this text, which is hidden for a while from now on; None if there is none."""
        client = self._service.get_queue_client(queue)
        try:
            found = list(client.receive_messages(messages_per_page=32))
        except ResourceNotFoundError:
            # Nothing was ever sent to it.
            return None
        for message in found:
            text = base64.b64decode(message.content, validate=True).decode()
            if text == body:
                return QueueMessage(
                    text,
                    message.id,
                    message.dequeue_count or 0,
                    message.pop_receipt or "",
                    _told(message.inserted_on),
                    _told(message.expires_on),
                    _told(message.next_visible_on),
                )
        return None


def _told(moment: datetime | None) -> str:
    assert moment is not None
    return moment.isoformat()
