"""Whose tokens are taken: what an issuer calls itself, and where it tells its keys. Pure.

Sources: OpenID Connect Discovery 1.0, section 4; "Access tokens in the Microsoft identity platform", Microsoft Learn.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)
# Microsoft Entra ID, also of the national clouds; tokens of version 2, and of version 1.
_ENTRA = re.compile(
    r"https://(login\.microsoftonline\.com|login\.microsoftonline\.us|login\.partner\.microsoftonline\.cn|sts\.windows\.net)"
    r"/([^/]+)(?:/v2\.0)?/?"
)
_PUBLIC_CLOUD = "login.microsoftonline.com"
_ALL_TENANTS = frozenset({"common", "organizations", "{tenantid}"})
_DISCOVERY = "/.well-known/openid-configuration"


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(url: str) -> str:
    """An address from which keys may come. Raises ValueError that says what it has to be."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment or not url.isascii():
        raise ValueError("is no address such as https://issuer.example.org/realm")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        # Whoever could change the keys on their way could make tokens.
        raise ValueError("must begin with https://; plain http is for this machine only")
    return url


@dataclass(frozen=True)
class Issuer:
    """An issuer, and which tokens are its own.

    Parameters
    ----------
    url : what it calls itself, without a slash at its end.
    host : of Entra ID's public or a national cloud; empty for any other issuer.
    tenants : of Entra ID, in lower case; more than one where the application is for several.
    several : whether the keys are those of all tenants, of which `tenants` are taken.
    """

    url: str
    host: str = ""
    tenants: frozenset[str] = frozenset()
    several: bool = False

    @classmethod
    def parse(cls, url: str, tenants: frozenset[str] = frozenset()) -> "Issuer":
        """Read the settings.

        Raises
        ------
        ValueError
            Says what to set instead.
        """
        url = check_address(url).removesuffix("/").removesuffix(_DISCOVERY).removesuffix("/")
        found = _ENTRA.fullmatch(url)
        if found is None:
            if tenants:
                raise ValueError("has no tenants: OIDC_TENANTS is for Entra ID's `organizations`")
            return cls(url)
        host = found[1] if found[1] != "sts.windows.net" else _PUBLIC_CLOUD
        tenant = found[2].lower()
        if tenant in _ALL_TENANTS:
            wrong = sorted(name for name in tenants if not _GUID.fullmatch(name))
            if not tenants or wrong:
                # Whoever administers any other tenant could give themselves any role.
                raise ValueError("takes tokens of all tenants; name those you mean by their ids in OIDC_TENANTS")
            return cls(f"https://{host}/organizations/v2.0", host, frozenset(map(str.lower, tenants)), several=True)
        if not _GUID.fullmatch(tenant):
            raise ValueError("names its tenant by domain, which tokens do not; use the tenant's id, a GUID")
        if tenants - {tenant}:
            raise ValueError("is of one tenant; OIDC_TENANTS is for `organizations` in its place")
        return cls(f"https://{host}/{tenant}/v2.0", host, frozenset({tenant}))

    @property
    def is_entra(self) -> bool:
        return bool(self.host)

    @property
    def discovery_url(self) -> str:
        return self.url + _DISCOVERY

    def recognise(self, claims: Mapping[str, object]) -> str | None:
        """What the issuer of these claims is called here, one name whatever the version of the token; None: another."""
        given = claims.get("iss")
        if not isinstance(given, str):
            return None
        if not self.is_entra:
            return self.url if given.removesuffix("/") == self.url else None
        for tenant in self.tenants:
            if given in self._forms(tenant):
                # A tenant's tokens name it twice.
                return f"https://{self.host}/{tenant}/v2.0" if claims.get("tid", tenant) == tenant else None
        return None

    def vouches(self, key_issuer: str | None, known_as: str) -> bool:
        """Whether a key that names the issuer it is for, as Entra ID's do, may sign for one known as `recognise` says.

        Entra ID answers the keys of all its kinds of tenants together; one for personal accounts must not sign for an
        organisation's.
        """
        if not self.is_entra or key_issuer is None:
            return True
        tenant = known_as.split("/")[3]
        return key_issuer.replace("{tenantid}", tenant) in self._forms(tenant)

    def is_described_by(self, name: object) -> bool:
        """Whether a discovery document of this name is the issuer's."""
        if not isinstance(name, str):
            return False
        if self.several:
            return name == f"https://{self.host}/{{tenantid}}/v2.0"
        return name.removesuffix("/") == self.url

    def _forms(self, tenant: str) -> frozenset[str]:
        """What a tenant is called in tokens of version 2 and, in the public cloud, of version 1."""
        forms = {f"https://{self.host}/{tenant}/v2.0"}
        if self.host == _PUBLIC_CLOUD:
            forms.add(f"https://sts.windows.net/{tenant}/")
        return frozenset(forms)


def tag(issuer: str) -> str:
    """Eight characters that tell issuers apart, for identifiers: the same subject of another issuer is another."""
    return hashlib.sha256(issuer.encode()).hexdigest()[:8]
