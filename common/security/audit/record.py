"""One record of the audit log. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.security.principal import Principal
from common.telemetry.masking import mask

_TEXT_CHARS = 512
_MAX_DETAILS = 20
ID_CHARS, NAME_CHARS, ADDRESS_CHARS, ACTION_CHARS, OUTCOME_CHARS = 256, 256, 64, 64, 32
DONE, REFUSED, FAILED = "done", "refused", "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """What was done.

    Parameters
    ----------
    actor_id, actor_name, actor_kind : of the principal that did it.
    address : of the caller, as far as it is known; empty for a command on the machine itself.
    action : thing and verb, e.g. `key.created`, `job.cancelled`, `alias.moved`.
    target : what it was done to: an id, a path.
    outcome : `done`, `refused` or `failed`.
    details : more that a person will want to know; short values, no secrets.
    """

    id: str
    at: datetime
    actor_id: str
    actor_name: str
    actor_kind: str
    address: str
    action: str
    target: str
    outcome: str
    request_id: str
    details: Mapping[str, Any]


def make_record(
    id_: str,
    at: datetime,
    by: Principal,
    action: str,
    target: str,
    outcome: str,
    details: Mapping[str, Any],
    *,
    address: str = "",
    request_id: str = "",
) -> Record:
    """A record fit to be kept: texts cut short, and what looks like a secret masked."""
    return Record(
        id=id_,
        at=at,
        actor_id=by.id[:ID_CHARS],
        actor_name=_plain(by.name)[:NAME_CHARS],
        actor_kind=by.kind,
        address=_plain(address)[:ADDRESS_CHARS],
        action=action[:ACTION_CHARS],
        target=_plain(target),
        outcome=outcome[:OUTCOME_CHARS],
        request_id=request_id[:128],
        details={str(name)[:64]: _value(value) for name, value in list(details.items())[:_MAX_DETAILS]},
    )


def _value(value: object) -> object:
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(map(str, value)) if isinstance(value, set | frozenset) else value
        return [_plain(str(item))[:_TEXT_CHARS] for item in list(items)[:_MAX_DETAILS]]
    return _plain(str(value))


def _plain(text: str) -> str:
    """A text as any database keeps it: masked, on one line, without NUL or lone surrogates, cut short."""
    text = mask(text).encode("utf-8", "replace").decode()
    text = "".join(character if character.isprintable() else " " for character in text[: _TEXT_CHARS + 1])
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"
