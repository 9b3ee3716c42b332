"""What the document says of the API holds, whatever is sent."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.servers import Server

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 5


def test_no_generated_request_finds_the_document_wrong(sample_server: Server, tmp_path: Path) -> None:
    documented = sample_server.get("/openapi.json").json()["paths"]
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={CONFIG}",
            "run",
            f"{sample_server.url}/openapi.json",
            "--checks=all",
            "--phases=examples,coverage,fuzzing",
            f"--max-examples={EXAMPLES}",
            "--generation-deterministic",
            "--continue-on-failure",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    # Generated bodies are long, and what is wrong stands before them.
    told = "\n".join(line[:300] for line in run.stdout.splitlines())
    assert run.returncode == 0, told[-12000:] + run.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", run.stdout)
    assert tested is not None, run.stdout[-2000:]
    assert int(tested.group(1)) == sum(len(item) for item in documented.values())
    assert "Traceback" not in sample_server.log
    assert '"status": 500' not in sample_server.log
