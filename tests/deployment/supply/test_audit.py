import datetime as dt
import json
from pathlib import Path

import pytest

from deployment.supply.__main__ import CHECKOUT, main
from deployment.supply.advisories import Finding
from deployment.supply.audit import age_note, judge
from deployment.supply.lock import Unreadable
from deployment.supply.policy import Ignored, read_policy
from tests.deployment.supply.documents import advisory, export

LAST_DAY = dt.date(2026, 11, 30)
LOCK = f"some-package==2.0.0 \\\n    --hash=sha256:{'0' * 64}\n"
IGNORED = """
[allowed_licences]
[[ignored]]
id = "{number}"
reason = "Atoll does not call what it is about."
until = {until}
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "lock.txt").write_text(LOCK)
    (tmp_path / "policy.toml").write_text("[allowed_licences]\n")
    database = export(tmp_path / "advisories", advisory())
    options = ["--lock", str(tmp_path / "lock.txt"), "--policy", str(tmp_path / "policy.toml")]
    return ["audit", *options, "--advisories", str(database)]


def test_a_known_vulnerability_fails_the_audit_and_says_what_to_take(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "some-package 2.0.0: PYSEC-2026-7 (CVE-2026-1234, GHSA-aaaa-bbbb-cccc), fixed in 2.0.1: Reads files" in said
    assert "known vulnerabilities: 1, ignored: 0" in said


def test_a_lock_without_known_vulnerabilities_passes(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lock.txt").write_text(LOCK.replace("2.0.0", "2.0.1"))
    assert main(arguments) == 0
    assert "known vulnerabilities: 0, ignored: 0" in capsys.readouterr().out


def test_programs_get_json(arguments: list[str], tmp_path: Path) -> None:
    assert main([*arguments, "--json", "--output", str(tmp_path / "out" / "report.json")]) == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [(one["package"], one["id"], one["fixed_in"]) for one in report["open"]] == [
        ("some-package", "PYSEC-2026-7", ["2.0.1"])
    ]
    assert (report["ignored"], report["packages"]) == ([], 1)


@pytest.mark.parametrize("number", ["PYSEC-2026-7", "CVE-2026-1234"])
def test_what_is_ignored_for_a_reason_passes_by_any_of_its_numbers(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    (tmp_path / "policy.toml").write_text(IGNORED.format(number=number, until="2999-01-01"))
    assert main(arguments) == 0
    assert "ignored until 2999-01-01: Atoll does not call" in capsys.readouterr().out


def test_what_was_ignored_until_yesterday_fails_again(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.toml").write_text(IGNORED.format(number="PYSEC-2026-7", until="2026-01-01"))
    assert main(arguments) == 1
    assert "was ignored until 2026-01-01; decide anew" in capsys.readouterr().out


def test_an_entry_counts_up_to_and_with_its_last_day() -> None:
    finding = Finding("some-package", "2.0.0", "PYSEC-2026-7", (), (), "")
    entry = Ignored(id="PYSEC-2026-7", reason="does not concern us", until=LAST_DAY)

    def still_open(today: dt.date) -> int:
        return len(judge([finding], [entry], today=today, source="", packages=1).open)

    assert (still_open(LAST_DAY), still_open(LAST_DAY + dt.timedelta(days=1))) == (0, 1)


def test_an_entry_that_is_needed_no_more_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.toml").write_text(IGNORED.format(number="PYSEC-1999-1", until="2999-01-01"))
    assert main(arguments) == 1
    assert "PYSEC-1999-1 is ignored but was not found" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "[allowed_licences]\n[[ignored]]\nid = 'A'\nuntil = 2999-01-01\n",
        "[allowed_licences]\n[[ignored]]\nid = 'A'\nreason = 'because of this'\n",
        "[allowed_licences]\n[[ignored]]\nid = 'A'\nreason = '   '\nuntil = 2999-01-01\n",
        "[allowed_licences]\nMIT = ''\n",
        "[allowed_licence]\n",
        "[",
    ],
)
def test_nothing_is_accepted_without_a_reason_and_an_end(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(Unreadable, match=r"policy\.toml"):
        read_policy(tmp_path / "policy.toml")


def test_the_policy_of_this_project_is_readable() -> None:
    assert "MIT" in read_policy().allowed_licences


def test_an_audit_against_nothing_does_not_pass(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main([*arguments[:-1], str(tmp_path / "empty")]) == 2
    assert "holds no advisory" in capsys.readouterr().err


def test_old_advisories_are_told() -> None:
    today = dt.date(2026, 11, 21)
    assert age_note("2026-11-20T10:11:12.345678Z", today) is None
    assert "61 days old" in (age_note("2026-09-21T00:00:00Z", today) or "")
    assert "do not say" in (age_note("", today) or "")


def test_the_lock_of_this_project_is_checked_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = export(tmp_path, advisory(name="FastAPI", events=[{"introduced": "0"}]))
    assert main(["audit", "--advisories", str(database)]) == 1
    assert "fastapi " in capsys.readouterr().out
    assert (CHECKOUT / "requirements.txt").is_file()
