"""The campaign itself, in small: real processes, a few kills."""

from pathlib import Path

import pytest

from tests.campaign import clock, report
from tests.campaign.run import Options, campaign
from tests.support.servers import run_python


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


def test_three_kills_break_no_promise(said: list[str]) -> None:
    outcome = campaign(Options(3, 5, "embedded", minutes=5, workers=2), said.append)
    assert {promise: found for promise, found in outcome.violations.items() if found} == {}
    assert outcome.violations
    assert outcome.kills.total() == 3
    assert outcome.states["succeeded"] > 0
    assert any("3/3" in line for line in said)
    # All is well, so nothing is kept.
    assert outcome.folder is None
    page = report.markdown([outcome])
    assert "| jobs lost | **0** |" in page
    assert "seed 5" in page


def test_a_clock_is_moved_for_those_that_follow_its_file(tmp_path: Path) -> None:
    library = clock.build(tmp_path)
    if library is None:
        pytest.skip("there is no C compiler")
    environment = clock.environment(library, tmp_path / "clock")
    clock.set_clock(tmp_path / "clock", -7200)
    asked = "import time, datetime; time.sleep(0.01); print(int(time.time()), int(datetime.datetime.now().timestamp()))"
    told = run_python(["-c", asked], tmp_path, environment).stdout.split()
    here = int(run_python(["-c", asked], tmp_path).stdout.split()[0])
    # The second process is asked later than the first, by as long as it takes to start.
    assert all(7200 <= here - int(value) <= 7260 for value in told)


def test_the_help_says_what_is_needed() -> None:
    done = run_python(["-m", "tests.campaign", "--help"], Path.cwd())
    assert done.returncode == 0
    for word in ("SIGKILL", "--kills", "--backend", "--report", "PostgreSQL", "Exit code 1"):
        assert word in done.stdout
