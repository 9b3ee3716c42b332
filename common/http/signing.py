"""Signatures by the Standard Webhooks specification: HMAC-SHA256 over id, time and body. Pure.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
# What the specification asks for.
_MIN_BYTES, _MAX_BYTES = 24, 64
_NEW_BYTES = 32


def new_secret() -> str:
    """A secret as receivers' libraries take it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes that sign. Raises ValueError where the text is no secret; the message does not repeat it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(
            f"a secret is `{PREFIX}` and base64 of {_MIN_BYTES} to {_MAX_BYTES} bytes; "
            "`atoll jobs callback-secret --new` makes one"
        )
    return key


def signed_headers(keys: Sequence[bytes], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of the specification; one signature a key, so that a receiver may know any of them."""
    timestamp = str(int(at.timestamp()))
    content = b".".join([event_id.encode(), timestamp.encode(), body])
    signatures = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
