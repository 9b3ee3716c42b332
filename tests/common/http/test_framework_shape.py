import orjson
import pytest
from fastapi.exceptions import RequestValidationError

from common.errors import Invalid
from common.http.framework_shape import framework_error


@pytest.mark.parametrize(("given", "shown"), [(7, 7), (True, True), (10**30, "a whole number of 100 bits")])
def test_what_was_given_is_shown_whatever_number_it_is(given: int, shown: object) -> None:
    error = Invalid("wrong")
    error.__cause__ = RequestValidationError([{"loc": ("body", "x"), "msg": "too large", "input": {"x": [given]}}])
    answer = orjson.loads(orjson.dumps(framework_error(error)))
    assert answer["detail"][0]["input"] == {"x": [shown]}


def test_of_what_is_large_the_beginning_is_shown() -> None:
    error = Invalid("wrong")
    stages = {str(number): {"stage_name": "map"} for number in range(1000)}
    error.__cause__ = RequestValidationError([{"loc": ("body", "x"), "msg": "is wrong", "input": {"stages": stages}}])
    (told,) = framework_error(error)["detail"]
    assert told["input"].startswith("{'stages': {'0': {'stage_name': 'map'}")
    assert len(told["input"]) < 500
