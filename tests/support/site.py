"""The docs as pages, as `make docs` builds them."""

import subprocess
import sys
from pathlib import Path

from tests.support.servers import CHECKOUT


def build_site(folder: Path) -> Path:
    """Build into the folder (some seconds). Anything that MkDocs warns of fails."""
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder
