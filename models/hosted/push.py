"""Sending a model to a server from anywhere: in parts, of which those that got lost on the way are sent again."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.client.calls import Flow
from common.client.flows import Flows
from common.client.uploads import upload

_PATH = "/hosted/uploads"

Told = Callable[[str, int, int], object]


def push(flows: Flows, file: Path, tag: str, details: Mapping[str, Any], told: Told) -> Flow[dict[str, Any]]:
    """Upload a file as a version of `tag`; what the server says of it.

    Parameters
    ----------
    details : more members of the upload that are not None: `model_description`, `library_version`, `alias`, `metrics`.
    told : called with what is done, and how many of how many parts are there.

    Raises
    ------
    AtollClientError
        The server refuses the file, or does not answer.
    OSError
        The file cannot be read.
    """

    def sent(here: int, parts: int) -> None:
        told("checking" if here == parts else "sending", here, parts)

    known = {name: value for name, value in details.items() if value is not None}
    return upload(flows, _PATH, file, {"tag": tag, **known}, None, sent)
