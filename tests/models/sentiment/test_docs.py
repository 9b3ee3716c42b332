"""What docs/sentiment.md shows is what a new user gets."""

import pytest

from tests.support.examples import assert_answered, examples
from tests.support.servers import Server


@pytest.mark.parametrize(("path", "body", "answer"), examples("sentiment.md"))
def test_a_request_of_the_page_gets_the_answer_shown(sample_server: Server, path: str, body: str, answer: str) -> None:
    assert_answered(sample_server, path, body, answer)
