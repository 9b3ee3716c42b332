"""Libraries that not every installation has."""

from importlib import import_module
from typing import Any

from common.errors import Invalid


def needed(module: str, name: str) -> Any:
    """The library. Raises Invalid, which tells what to install."""
    try:
        return import_module(module)
    except ImportError:
        raise Invalid(
            f"{name} is not installed where Atoll runs, so its models cannot be served; whoever runs it can add it "
            "by `pip install 'atoll[hosted]'`"
        ) from None
