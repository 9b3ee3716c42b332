"""The credential that the console's pages send: kept by the browser in cookies that no script can read. Pure.

A cookie goes along with whatever the browser sends here, also where another site made it do so. Three things stand
before that: `SameSite=Strict`, so that other sites' requests come without it; `Sec-Fetch-Site` and `Origin`, which
scripts cannot set and which say whose page asks (`is_own`); and that no answer to another origin may be read, as CORS
here never allows credentials. Sources: "Cross-Site Request Forgery Prevention Cheat Sheet", OWASP; Fetch Metadata
Request Headers, W3C; RFC 6265bis for the prefix `__Host-`, which keeps other names below a domain from setting one.
"""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, unquote, urlsplit

PLAIN, SECURE = "atoll", "__Host-atoll"
# A cookie is 4096 bytes with name and attributes; a token of somebody in many groups has more.
_PIECE_CHARS = 3600
_MOST_PIECES = 5
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What may stand in a cookie as it is, of what a credential may have.
_UNQUOTED = "-._~+/=!$&'()*:@"

Headers = Mapping[bytes, Sequence[bytes]]


def credential_in(headers: Headers) -> str | None:
    """The credential that is kept in the cookies; None if there is none, or only a part of one."""
    cookies = dict(_pairs(headers.get(b"cookie", ())))
    # Set over https, it counts before one that anybody on the way could have written.
    for name in (SECURE, PLAIN):
        count, _, first = cookies.get(name, "").partition(".")
        if count.isdecimal() and 0 < int(count) <= _MOST_PIECES:
            pieces = [first, *(cookies.get(f"{name}-{number}", "") for number in range(1, int(count)))]
            if all(pieces):
                return unquote("".join(pieces))
    return None


def is_own(method: str, headers: Headers) -> bool:
    """Whether a request is one that a page of this server sent, or for reading, that a person asked for."""
    is_safe = method in _SAFE_METHODS
    site = _only(headers, b"sec-fetch-site")
    if site is not None:
        return site == "same-origin" or (is_safe and site == "none")
    # Browsers leave the other out where the address is neither https nor this machine.
    origin = _only(headers, b"origin")
    if origin is not None:
        host = _only(headers, b"host")
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()
    return is_safe


def is_https(scheme: str, headers: Headers) -> bool:
    """Whether the browser speaks https, be it to a proxy: its `Origin` says so."""
    return scheme == "https" or (_only(headers, b"origin") or "").lower().startswith("https://")


def setting(credential: str, *, secure: bool, max_age_s: int | None = None) -> list[str]:
    """Values of `Set-Cookie` that keep a credential.

    Parameters
    ----------
    secure : the browser speaks https.
    max_age_s : how long; by default until the browser is closed.

    Raises
    ------
    ValueError
        The credential is too long for a browser to keep.
    """
    text = quote(credential, safe=_UNQUOTED)
    pieces = [text[at : at + _PIECE_CHARS] for at in range(0, len(text), _PIECE_CHARS)]
    if not pieces or len(pieces) > _MOST_PIECES:
        raise ValueError(f"the credential is longer than {_MOST_PIECES * _PIECE_CHARS} characters")
    pieces[0] = f"{len(pieces)}.{pieces[0]}"
    name, ending = (SECURE, "; Secure") if secure else (PLAIN, "")
    if max_age_s is not None:
        ending += f"; Max-Age={max_age_s}"
    return [f"{_named(name, at)}={piece}{_ATTRIBUTES}{ending}" for at, piece in enumerate(pieces)]


def clearing() -> list[str]:
    """Values of `Set-Cookie` that end what `setting` began, on either scheme."""
    return [
        f"{_named(name, at)}={_ATTRIBUTES}; Max-Age=0{ending}"
        for name, ending in ((PLAIN, ""), (SECURE, "; Secure"))
        for at in range(_MOST_PIECES)
    ]


_ATTRIBUTES = "; Path=/; HttpOnly; SameSite=Strict"


def _named(name: str, number: int) -> str:
    return f"{name}-{number}" if number else name


def _pairs(lines: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    for line in lines:
        for item in line.decode("latin-1").split(";"):
            name, equals, value = item.strip().partition("=")
            if equals:
                yield name, value.strip('"')


def _only(headers: Headers, name: bytes) -> str | None:
    """A header that is there once; one that is there more often says nothing, and matches nothing."""
    values = headers.get(name)
    if not values:
        return None
    return values[0].decode("latin-1").strip() if len(values) == 1 else ""
