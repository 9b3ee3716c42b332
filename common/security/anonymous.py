"""What a caller without a key may do. Pure.

Where only this machine can call, everything: that is how Atoll runs at first. But the browser of whoever sits there is
on this machine too, and sends what any web page tells it to. So no page of a stranger is taken for the person: neither
one that says where it is from (`Origin`), nor one whose name was made to lead here (DNS rebinding), which `Host` shows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from common.security.principal import ANONYMOUS, Principal
from common.security.scopes import ALL_SCOPES, Scope
from common.settings import Settings

SEND_IT = "send it as `Authorization: Bearer <key>`"
_ADVICE = SEND_IT.replace("it", "a key", 1)
# Longer ones are no names; they would fill the memory of what was decided.
_NAME_CHARS = 300
_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of a caller without a key.

    Parameters
    ----------
    server : the address that was called, as the socket has it; None where nobody tells, which opens nothing.
    host : the `Host` header; None without one, which no browser leaves out.
    origin : the `Origin` header, which a browser sends for its pages.
    is_forwarded : whether a proxy says that it passes on somebody else's request.
    """

    server: str | None = None
    host: str | None = None
    origin: str | None = None
    is_forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """Who a caller without a key is taken for; where that is less than the settings allow to others, why."""

    principal: Principal
    reason: str = ""


Admit = Callable[[Caller], Admission]


@dataclass(frozen=True)
class AnonymousRule:
    """What the settings allow.

    Parameters
    ----------
    scopes : what callers without a key may do.
    only_here : they may because only this machine can call; whoever may have come from elsewhere may nothing.
    origins : origins whose pages may call (`CORS_ORIGINS`); `*` is all.
    """

    scopes: frozenset[Scope]
    only_here: bool = False
    origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "AnonymousRule":
        """The rule that the settings make."""
        origins = settings.http.cors_origins
        scopes = settings.security.anonymous_scopes
        if scopes is not None:
            return cls(scopes, only_here=False, origins=origins)
        only_here = is_loopback(settings.http.host) and settings.security.functions_runtime is None
        return cls(ALL_SCOPES if only_here else frozenset(), only_here, origins)

    @property
    def told(self) -> str:
        """For people, at the start."""
        if not self.scopes:
            return "with a key"
        if self.only_here:
            return "from this machine without a key"
        return f"without a key for {', '.join(sorted(self.scopes))}, else with one"

    def admit(self, caller: Caller) -> Admission:
        """Decide about one caller."""
        if not self.scopes:
            return Admission(ANONYMOUS)
        if self.only_here:
            stranger = _from_elsewhere(caller)
            if stranger:
                return Admission(ANONYMOUS, f"{stranger} has to say who is calling: {_ADVICE}")
        if caller.origin is None or self._is_own(caller):
            return Admission(_anonymous(self.scopes))
        if "*" in self.origins or caller.origin in self.origins:
            # A page that may show forecasts need not be able to delete data with a developer's hands.
            return Admission(_anonymous(self.scopes - {Scope.ADMIN} if self.only_here else self.scopes))
        shown = caller.origin[:80]
        reason = f"a page of {shown} may not do this without a key; {_ADVICE}, or add its origin to CORS_ORIGINS"
        kept = frozenset() if self.only_here else self.scopes & {Scope.PREDICT}
        return Admission(_anonymous(kept), reason)

    def _is_own(self, caller: Caller) -> bool:
        """Whether a page is this server's own. A name that is no address may have been made to lead here."""
        host = (caller.host or "").lower()
        own = urlsplit(caller.origin or "").netloc.lower() == host != ""
        return own and (is_loopback(_name(host)) or _is_address(_name(host)))


def remembering(rule: AnonymousRule) -> Admit:
    """`rule.admit`, with the last answers kept: most callers come again."""
    decide = lru_cache(maxsize=_REMEMBERED)(rule.admit)

    def admit(caller: Caller) -> Admission:
        is_short = len(caller.host or "") <= _NAME_CHARS and len(caller.origin or "") <= _NAME_CHARS
        return decide(caller) if is_short else rule.admit(caller)

    return admit


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as itself alone can reach it: `localhost`, 127.0.0.0/8, ::1."""
    name = host.lower().strip("[]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _from_elsewhere(caller: Caller) -> str:
    """What shows that a caller may not be on this machine; empty if nothing does."""
    if caller.is_forwarded:
        return "a request that came through a proxy"
    if caller.server is None or not is_loopback(caller.server):
        return "a request from another machine"
    if caller.host is not None and not is_loopback(_name(caller.host)):
        return f"a request for {caller.host[:80]!r}, which is no name of this machine alone,"
    return ""


def _name(host: str) -> str:
    """A `Host` header without its port."""
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=16)
def _anonymous(scopes: frozenset[Scope]) -> Principal:
    return Principal(id="", kind="anonymous", scopes=scopes) if scopes else ANONYMOUS
