"""Links of pages to files of the checkout, which are no pages: in the built site their text stays, without a link."""

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)\s]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs with the text of each page."""
    return _OUTSIDE.sub(r"\1", markdown)
