"""What every benchmark does with its figures: prints them, writes them where one asks for it, ends with a verdict."""

import argparse
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import Report


def end_cleanly() -> None:
    """Ended from outside, a run still ends what it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def add_options(parser: argparse.ArgumentParser, each: str = "") -> None:
    """`each` is what the JSON has beyond the tables, as "each single run too"."""
    parser.add_argument("--json", type=Path, help=", ".join(part for part in ("write all figures here", each) if part))
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    parser.add_argument("--strict", action="store_true", help="end with 1 if a reach is missed")


def tell(given: argparse.Namespace, report: Report, text: str, more: Mapping[str, Any] | None = None) -> int:
    """Print the tables and do as the options say.

    Parameters
    ----------
    text : the tables, in Markdown.
    more : what the JSON has beside the report.

    Returns
    -------
    The exit status: 1 where a reach is missed and `--strict` was given.
    """
    print(f"\n{text}")
    if given.json:
        given.json.write_text(json.dumps({**report.as_json(), **(more or {})}, indent=1) + "\n")
    if given.markdown:
        given.markdown.write_text(text)
    if report.missed:
        print(f"missed: {', '.join(report.missed)}", file=sys.stderr)
    return 1 if given.strict and report.missed else 0
