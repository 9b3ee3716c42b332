"""Telling callers that their jobs have ended: an event is written with the end, then sent until it is taken.

Events follow the Standard Webhooks specification (https://www.standardwebhooks.com). Written by the transaction that
ends a job, so none is lost; sent at least once, and a receiver drops what it has seen by `webhook-id`.
"""
