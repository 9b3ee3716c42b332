"""`?version=` and `?alias=`, for routes of models that have versions."""

from typing import Annotated

from fastapi import Depends, Query

from common.registry.choose import Which, which_of


def which(
    version: Annotated[
        str | None,
        Query(max_length=63, description="Number or alias of the version that shall answer.", examples=["3"]),
    ] = None,
    alias: Annotated[
        str | None,
        Query(max_length=63, description="Alias of the version that shall answer.", examples=["candidate"]),
    ] = None,
) -> Which:
    """What a request names: a number, an alias, or None.

    Raises
    ------
    Invalid
        Both are given, or what is given is no number and no alias.
    """
    return which_of(version, alias)


# For a route's parameter: `which: Asked`.
Asked = Annotated[int | str | None, Depends(which)]
