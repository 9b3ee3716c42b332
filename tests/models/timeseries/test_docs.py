"""What docs/timeseries.md shows is what a new user gets."""

import pytest

from models.timeseries.spec import Method
from tests.support.examples import assert_answered, examples
from tests.support.markdown import page, row_names
from tests.support.servers import Server


@pytest.mark.parametrize(("path", "body", "answer"), examples("timeseries.md"))
def test_a_request_of_the_page_gets_the_answer_shown(sample_server: Server, path: str, body: str, answer: str) -> None:
    assert_answered(sample_server, path, body, answer)


def test_every_method_is_described() -> None:
    assert {method.name for method in Method} <= set(row_names(page("timeseries.md")))
