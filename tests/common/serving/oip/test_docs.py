import pytest

from tests.support.examples import assert_answered, examples
from tests.support.servers import Server


@pytest.mark.parametrize(("path", "body", "answer"), examples("inference-protocol.md"))
def test_the_requests_that_the_page_shows_are_answered_as_it_says(
    sample_server: Server, path: str, body: str, answer: str
) -> None:
    assert_answered(sample_server, path, body, answer)
