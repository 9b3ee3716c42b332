"""What this project accepts: licences, and known vulnerabilities for a reason and a time. Kept in `policy.toml`."""

import datetime as dt
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from deployment.supply.lock import Unreadable

POLICY = Path(__file__).with_name("policy.toml")

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ignored(_Strict):
    """A known vulnerability that does not concern Atoll: which, why, and the last day on which that may be believed."""

    id: str
    reason: Reason
    until: dt.date


class Stated(_Strict):
    """The licence of a package whose own metadata does not name it exactly, as an SPDX expression."""

    package: str
    licence: str
    reason: Reason


class Policy(_Strict):
    allowed_licences: dict[str, Reason]
    stated: list[Stated] = []
    ignored: list[Ignored] = []


def read_policy(path: Path = POLICY) -> Policy:
    try:
        return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unreadable(f"{path}: {where}: {first['msg']}") from error
