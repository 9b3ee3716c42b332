"""`atoll datasets pull`, in processes of its own, from stand-ins named in `tests.support.indicator_sources`."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models._indicators import load
from tests.support.indicator_sources import Sources
from tests.support.servers import CHECKOUT, environment, free_port, wait_for

PULL = ("datasets", "pull", "world-bank", "--years", "2000:2003")
CODES = ("--indicators", "SP.POP.TOTL,EG.ELC.ACCS.ZS")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sources() -> Iterator[Sources]:
    standin = Sources()
    yield standin
    standin.close()


def begin(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "common.cli", *arguments],
        cwd=CHECKOUT,
        env=environment(tmp_path / "state", {"NO_PROXY": "127.0.0.1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def atoll(sources: Sources, tmp_path: Path) -> Run:
    """Exit code, standard output, standard error; the files go to `set`."""

    def run(*arguments: str, url: str = sources.url) -> tuple[int, str, str]:
        process = begin(tmp_path, *arguments, "--base-url", url, "--into", str(tmp_path / "set"))
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return run


def test_a_pull_tells_what_came_of_it_and_the_files_load(atoll: Run, tmp_path: Path) -> None:
    code, out, err = atoll(*PULL, *CODES)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["indicators"], told["countries"], told["years"]) == (2, 4, "2000:2003")
    data = load(tmp_path / "set", tmp_path / "cache")
    assert data.indicators == ("wdi-EG.ELC.ACCS.ZS", "wdi-SP.POP.TOTL")


def test_a_pull_that_was_killed_goes_on_where_it_was(atoll: Run, sources: Sources, tmp_path: Path) -> None:
    values = "country/all/indicator/EG.ELC.ACCS.ZS"
    sources.hung.add((values, 2))
    process = begin(tmp_path, *PULL, *CODES, "--base-url", sources.url, "--into", str(tmp_path / "set"))
    wait_for(lambda: (values, 2) in sources.asked, "the page that never comes")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (tmp_path / "set").exists()
    sources.hung.clear()
    sources.asked.clear()
    assert atoll(*PULL, *CODES)[0] == 0
    assert sources.asked == [(values, 2), (values, 3)]


def test_codes_may_stand_in_a_file(atoll: Run, tmp_path: Path) -> None:
    (tmp_path / "codes").write_text("SP.POP.TOTL\nEG.ELC.ACCS.ZS\n")
    code, out, _ = atoll(*PULL, "--indicators", f"@{tmp_path / 'codes'}")
    assert (code, json.loads(out)["indicators"]) == (0, 2)


def test_the_report_of_undp_is_pulled_too(atoll: Run, sources: Sources) -> None:
    code, out, _ = atoll("datasets", "pull", "undp", "--years", "2000:2002", url=f"{sources.url}/report.csv")
    assert (code, json.loads(out)["indicators"]) == (0, 3)


def test_an_unknown_indicator_ends_with_1_and_its_name(atoll: Run, tmp_path: Path) -> None:
    code, out, err = atoll(*PULL, "--indicators", "NO.SUCH")
    assert (code, out) == (1, "")
    assert err.startswith("atoll: the World Bank has no indicator NO.SUCH")
    assert not (tmp_path / "set").exists()


def test_no_network_ends_with_3(atoll: Run) -> None:
    code, out, err = atoll(*PULL, *CODES, url=f"http://127.0.0.1:{free_port()}/v2")
    assert (code, out) == (3, "")
    assert err.startswith("atoll: no answer from http://127.0.0.1")


@pytest.mark.parametrize("years", ["2003:2000", "20", "2000:", "2000:2001:2002", "0001:0002", "٢٠٠٠"])
def test_years_that_are_no_range_are_wrong_usage(atoll: Run, sources: Sources, years: str) -> None:
    code, _, err = atoll("datasets", "pull", "world-bank", "--years", years, *CODES)
    assert code == 2
    assert "2000:2020" in err
    assert sources.asked == []


def test_an_unknown_source_is_answered_with_those_there_are(atoll: Run) -> None:
    code, _, err = atoll("datasets", "pull", "eurostat", "--years", "2000")
    assert code == 2
    assert "undp, world-bank" in err
