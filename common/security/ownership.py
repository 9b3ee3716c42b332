"""Whose jobs are whose. Pure.

Everybody sees and changes their own, `admin` all. Jobs that nobody owns were asked for without a key: whoever knows
such a job's id, which cannot be guessed, may read it, and nobody but `admin` is given a list of them.
"""

from collections.abc import Mapping

from common.errors import Forbidden, Unauthorized
from common.security.principal import SYSTEM, Principal
from common.security.scopes import Scope, parse_scopes

NOBODY = ""

# What a job's owner could do when it was accepted stands in its record, beside the request's own headers. Callers'
# headers of this prefix are not taken.
MARK_PREFIX = "atoll-"
MARKS = _SCOPES, _MODELS = "atoll-scopes", "atoll-models"


def sees(principal: Principal, owner: str) -> bool:
    """Whether to show a caller, who knows its id, a job of `owner`."""
    return owner == NOBODY or principal.sees(owner)


def may_change(principal: Principal, owner: str) -> bool:
    """Whether a caller may cancel a job of `owner`, or run it again."""
    return principal.sees(owner)


def let_change(principal: Principal, owner: str) -> None:
    """Let nobody pass but those who may change what is `owner`'s.

    Raises
    ------
    Forbidden
        For everybody else: they may see it, since they know its id.
    """
    if not may_change(principal, owner):
        raise Forbidden("it was asked for without a key; only `admin` and callers without a key may change it")


def listed(principal: Principal, asked: str | None) -> str | None:
    """Whose jobs to list: the owner that they must have, None for any.

    Raises
    ------
    Unauthorized
        The caller owns nothing that could be told from what others without a key asked for.
    Forbidden
        Another owner's jobs are asked for.
    """
    if principal.may(Scope.ADMIN):
        return asked
    if principal.id == NOBODY:
        raise Unauthorized("jobs asked for without a key are not listed; ask for one by its id, or send a key")
    if asked not in (None, principal.id):
        raise Forbidden("others' jobs are listed for the scope `admin` only; leave out `owner` for your own")
    return principal.id


def marks(principal: Principal) -> dict[str, str]:
    """What to keep with a job of what its owner may do."""
    kept = {_SCOPES: " ".join(sorted(principal.scopes))}
    return kept if principal.models is None else kept | {_MODELS: " ".join(sorted(principal.models))}


def owner_of(owner: str, kept: Mapping[str, str]) -> Principal:
    """The principal as whom a job runs: its owner, with what it could do when the job was accepted.

    A job without marks was queued by Atoll itself, as its schedule says, or before there were owners.
    """
    if _SCOPES not in kept:
        return SYSTEM
    models = kept.get(_MODELS)
    kind = {"": "anonymous", "key": "key", "oidc": "token"}.get(owner.partition(":")[0], "system")
    return Principal(
        id=owner,
        kind=kind,  # type: ignore[arg-type]  # one of the four, as the mapping says
        scopes=parse_scopes(kept[_SCOPES].split()),
        models=None if models is None else frozenset(models.split()),
    )
