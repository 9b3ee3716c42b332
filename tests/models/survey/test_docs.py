"""What docs/survey.md shows is what a new user gets."""

import json

import pytest

from models.survey.examples import EXAMPLES
from tests.support.examples import assert_answered, examples
from tests.support.servers import Server

(SHOWN,) = examples("survey.md")


def test_the_request_of_the_page_gets_the_answer_shown(sample_server: Server) -> None:
    assert_answered(sample_server, *SHOWN)


def test_the_request_of_the_page_is_the_example_of_the_api() -> None:
    assert json.loads(SHOWN[1]) == EXAMPLES["fishing"]


@pytest.mark.parametrize("path", ["/survey_analysis/predict", "/survey/clustering", "/survey/predict"])
def test_every_address_gives_the_same_answer(sample_server: Server, path: str) -> None:
    assert_answered(sample_server, path, *SHOWN[1:])
