"""Debian's Chromium, as tests and benchmarks start it."""

import shutil

# Nothing that would ask another machine, or need a sandbox or a screen.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def program() -> str | None:
    """Where it is; None where it is not installed.

    Where there is one without windows, that one: in each window of a whole browser pages of its own are loaded (for the
    address bar), which takes more time than most tests.
    """
    return shutil.which("chromium-headless-shell") or whole_browser()


def whole_browser() -> str | None:
    """Where the one is that people have on their screens, for what is measured of pages."""
    return shutil.which("chromium") or shutil.which("chromium-browser")
