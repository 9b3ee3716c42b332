import base64
import json
from datetime import UTC, datetime

import pytest

from common.submission.runners.slurm.rest.failures import Failure, Kind, ends_at_s, has_ended, judge


@pytest.mark.parametrize(
    ("status", "errors", "kind"),
    [
        (200, [], Kind.FINE),
        (200, [(9003, "Nothing found with query")], Kind.FINE),
        (200, [(7000, "Unable to connect to database")], Kind.DOWN),
        (200, [(1007, "Protocol authentication error")], Kind.TOKEN),
        (500, [(-1, "Unspecified error")], Kind.TOKEN_OR_DOWN),
        (500, [(5005, "Zero Bytes were transmitted or received")], Kind.TOKEN_OR_DOWN),
        (500, [(1800, "Unable to contact slurm controller")], Kind.DOWN),
        (500, [(2000, "Invalid partition name specified")], Kind.REFUSED),
        (400, [(None, "Unknown key"), (9001, "Failure during parsing")], Kind.REFUSED),
        (500, [(2007, "Unable to create job record, try again")], Kind.DOWN),
        (500, [(2017, "Invalid job id specified")], Kind.UNKNOWN_JOB),
        (500, [(2021, "Job/step already completing or completed")], Kind.ENDED),
        (500, [], Kind.DOWN),
        (503, None, Kind.DOWN),
        (429, None, Kind.DOWN),
        (401, None, Kind.TOKEN),
        (404, None, Kind.VERSION),
        (400, None, Kind.REFUSED),
        (200, None, Kind.DOWN),
    ],
)
def test_an_answer_means_what_its_errors_say_before_its_status(
    status: int, errors: list[tuple[int | None, str]] | None, kind: Kind
) -> None:
    assert judge(status, errors, "text").kind is kind


def test_what_is_shown_is_one_line_of_the_servers_words() -> None:
    assert judge(400, None, "Unable to\nparse query.") == Failure(Kind.REFUSED, "Unable to parse query.")


def test_words_that_are_said_twice_are_shown_once() -> None:
    assert judge(500, [(2000, "no partition"), (2000, "no partition")], "").said == "no partition"


def token(**claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.c2ln"


def test_a_token_tells_itself_when_it_ends() -> None:
    assert ends_at_s(token(exp=1795300000, sun="hpc")) == 1795300000


@pytest.mark.parametrize("odd", ["", "a.b", "a.%.c", "a.bm8.c", token(), token(exp="soon")])
def test_a_token_that_tells_nothing_has_not_ended(odd: str) -> None:
    assert not has_ended(odd, datetime(2100, 1, 1, tzinfo=UTC))
