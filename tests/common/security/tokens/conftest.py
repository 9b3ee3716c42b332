import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from common.clock import FakeClock
from common.security.principal import Principal
from common.security.tokens.verifier import TokenVerifier
from common.settings import OidcSettings
from tests.support.issuer import AUDIENCE, Issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    served = Issuer()
    yield served
    served.close()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands; by now, so that tokens of the issuer are good by default."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def verifier(issuer: Issuer, clock: FakeClock) -> TokenVerifier:
    return TokenVerifier(OidcSettings(issuer=issuer.url, audience=(AUDIENCE,)), clock=clock)


@pytest.fixture
def verify(verifier: TokenVerifier) -> Callable[[str], Principal]:
    """Whose a token is, by an event loop of its own."""
    return lambda token: asyncio.run(verifier.verify(token))


Verify = Callable[[str], Principal]
Token = Callable[..., str]
Json = dict[str, Any]
