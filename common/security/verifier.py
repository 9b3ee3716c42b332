"""What authentication asks of a kind of credential."""

from typing import Protocol

from common.security.principal import Principal


class Verifier(Protocol):
    """One kind of credential: an API key, a token of an issuer.

    The first verifier that recognises a credential decides about it; none other is asked.
    """

    def recognises(self, credential: str) -> bool:
        """Whether the credential is of this kind, by its form alone. Cheap, and never raises."""
        ...

    def known(self, credential: str) -> Principal | None:
        """The caller, if memory can tell: microseconds, no I/O. None: ask `verify`, which decides."""
        ...

    async def verify(self, credential: str) -> Principal:
        """The caller, whatever has to be read to find out; what blocks is done on a thread.

        Raises
        ------
        Unauthorized
            The credential is not good (any more); the detail says why as far as the caller may know.
        DependencyFailed
            What would tell is away: the database, the issuer.
        """
        ...
