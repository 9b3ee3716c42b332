"""Addresses of blobs that are signed with the account's key (service SAS). Pure.

Source: "Create a service SAS", version 2020-12-06 and later.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

VERSION = "2021-12-02"


class BadKey(Exception):
    """The key is none: it is not base64."""


def signed(
    url: str, account: str, key: str, container: str, blob: str | None, *, permissions: str, until: datetime
) -> str:
    """The address of a blob, or of its container, with a signature.

    Parameters
    ----------
    url : of the account's blobs.
    permissions : of `racwdl`, in this order.
    until : how long it is good for, UTC.
    """
    resource = f"/blob/{account}/{container}" + ("" if blob is None else f"/{blob}")
    expiry = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kind = "c" if blob is None else "b"
    # Start, identifier, address and what follows the resource's kind are not restricted.
    fields = [permissions, "", expiry, resource, "", "", "", VERSION, kind, "", "", "", "", "", "", ""]
    try:
        secret = base64.b64decode(key, validate=True)
    except ValueError:
        raise BadKey from None
    digest = hmac.new(secret, "\n".join(fields).encode(), hashlib.sha256).digest()
    query = {"sv": VERSION, "sr": kind, "se": expiry, "sp": permissions, "sig": base64.b64encode(digest).decode()}
    path = f"{container}" + ("" if blob is None else f"/{quote(blob)}")
    return f"{url.rstrip('/')}/{path}?{urlencode(query)}"
