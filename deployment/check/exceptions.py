"""Whether checkov read everything, and whether each check that is left out would fail without that.

`python -m deployment.check.exceptions FOUND SETTINGS [FILE...]`: what checkov found with nothing left out, as JSON; its
settings; files that it is known not to read. It tells how many it could not read, and not which.
Exit code: 0 all is as it should be, 1 it is not.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # has no types of its own


def problems(found: dict[str, Any], left_out: set[str], unreadable: int = 0) -> list[str]:
    """One line for each; empty if every exception is needed.

    Parameters
    ----------
    found : of checkov's `--output json`, with no check left out.
    left_out : names of checks, e.g. `CKV_AZURE_33`.
    unreadable : of how many files that is known.
    """
    unread = found["summary"]["parsing_errors"]
    failed = {one["check_id"] for one in found["results"]["failed_checks"]}
    told = [f"checkov could not read {unread} files, not {unreadable}"] if unread != unreadable else []
    return told + [f"{name} is left out, but would pass" for name in sorted(left_out - failed)]


def main() -> int:
    found, settings = (Path(word).read_text(encoding="utf-8") for word in sys.argv[1:3])
    told = problems(json.loads(found), set(yaml.safe_load(settings)["skip-check"]), len(sys.argv[3:]))
    for line in told:
        sys.stderr.write(f"{line}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
