"""Points in time, as they stand in addresses."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from common.errors import Invalid

ISO = "ISO 8601 with its zone, e.g. 2026-01-31T12:00:00Z."
_LOST_PLUS = re.compile(r":\d\d(\.\d+)? \d\d:\d\d$")


def _moment(given: object) -> datetime:
    text = str(given).strip()
    # A plus that was not written as %2B arrives as a space.
    text = f"{text[:-6]}+{text[-5:]}" if _LOST_PLUS.search(text) else text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"is no time with its zone; send {ISO[:-1]} (write a + as %2B)")
    return found


Moment = Annotated[datetime, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


def check_order(created_after: datetime | None, created_before: datetime | None) -> None:
    """Raises `Invalid` where no time lies between the two."""
    if created_after is not None and created_before is not None and created_before <= created_after:
        given = created_before.isoformat()
        raise Invalid.field("created_before", "is not later than created_after", given, where="query")
