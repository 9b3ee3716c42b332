"""Queues: messages that carry a job's id and nothing else, in tables of the database or in Azure Storage."""

from common.jobs.queues.base import Message, Queue, queue_name

__all__ = ["Message", "Queue", "queue_name"]
