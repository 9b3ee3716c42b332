"""`TokenVerifier`: from a token to the one who calls."""

from collections.abc import Callable
from typing import NoReturn

from common.clock import Clock, SystemClock
from common.errors import SettingsError, Unauthorized
from common.security.principal import Principal
from common.security.tokens import claims, form, roles
from common.security.tokens.fetch import fetch_keys
from common.security.tokens.issuers import Issuer
from common.security.tokens.jwk import KeySet
from common.security.tokens.jwks import Jwks
from common.security.tokens.memory import Verified
from common.settings import OidcSettings


class TokenVerifier:
    """Tells whose a token is. Making one does no I/O, and imports nothing heavy.

    Parameters
    ----------
    fetch : asks the issuer for its keys; by default over HTTP as the settings say.

    Raises
    ------
    SettingsError
        An issuer is set without an audience.
    """

    def __init__(
        self, settings: OidcSettings, *, clock: Clock | None = None, fetch: Callable[[], KeySet] | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._issuer = None if settings.issuer is None else Issuer.parse(settings.issuer, settings.tenants)
        if self._issuer is not None and not settings.audience:
            raise SettingsError("OIDC_AUDIENCE must be set with OIDC_ISSUER: the application's id or URI")
        self._audiences = frozenset(settings.audience)
        self._keys = Jwks(fetch or self._fetch, self._clock)
        self._verified = Verified(self._clock)

    def recognises(self, credential: str) -> bool:
        return form.is_token(credential)

    def known(self, credential: str) -> Principal | None:
        # A token is ASCII; and a megabyte is not hashed for each request that brings one.
        if len(credential) > form.TOKEN_CHARS or not credential.isascii():
            return None
        return self._verified.get(credential, self._keys.generation)

    async def verify(self, credential: str) -> Principal:
        """Check a token: its form, who issued it, its signature, and what it says.

        The signature is checked on the event loop, as that takes less than handing it to a thread would.
        """
        issuer = self._issuer
        if issuer is None:
            raise Unauthorized("no tokens are taken here, as no issuer is configured; send an API key")
        token = form.read(credential)
        # Before the keys are looked at: another issuer's token must not cause a fetch.
        known_as = issuer.recognise(token.claims)
        if known_as is None:
            raise Unauthorized("the token is of another issuer (`iss`)")
        key, generation = await self._keys.key(token)
        if token.algorithm not in key.algorithms:
            raise Unauthorized("the token's key is not for the algorithm that the token names")
        if not key.has_signed(token):
            _refuse_signature()
        if not issuer.vouches(key.issuer, known_as):
            raise Unauthorized("the token was signed with a key that is for other tenants")
        ends_s = claims.check(
            token.claims,
            audiences=self._audiences,
            now_s=self._clock.now().timestamp(),
            leeway_s=self._settings.leeway_s,
        )
        found = roles.principal(token.claims, issuer, self._settings.roles, self._settings.role_claims)
        self._verified.put(credential, found, generation=generation, ends_s=ends_s)
        return found

    def _fetch(self) -> KeySet:
        assert self._issuer is not None  # noqa: S101 - without one no token gets as far
        return fetch_keys(self._issuer, self._settings.jwks_url)


def _refuse_signature() -> NoReturn:
    raise Unauthorized("the token's signature is wrong; send it as its issuer made it")
