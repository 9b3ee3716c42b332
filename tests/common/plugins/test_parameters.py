import enum
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter
from pydantic import BaseModel, Field

from common.plugins import BaseDefinition, param
from common.plugins.parameters import parameters


class Kind(enum.Enum):
    small = "Small island"
    large = 2


class Question(BaseDefinition):
    plain: str
    titled: Annotated[int, Field(ge=1)] = param(title="Titled", description="What it is.")
    kind: Kind | None = param(None, title="Kind")
    chosen: list[str] | None = param(None, title="Chosen", required_if=[{"kind": Kind.small}], req_endpoint="choices")
    elsewhere: str = param("", title="Elsewhere", req_endpoint={"endpoint": "/x", "method": "GET", "inputs": []})
    nowhere: str = param("", title="Nowhere", req_endpoint="no_such_route")


router = APIRouter(prefix="/model")


@router.get("/choices")
async def choices(year: int, deep: bool = False) -> list[str]:
    raise NotImplementedError


@router.post("/predict")
async def predict(body: Question) -> str:
    raise NotImplementedError


def by_name(prefix: str = "") -> dict[str, dict[str, Any]]:
    return {item["parameter"]: item for item in parameters(router, prefix) or ()}


def test_there_is_an_item_for_each_field_in_order() -> None:
    assert list(by_name()) == list(Question.model_fields)


def test_a_required_field_says_so() -> None:
    assert by_name()["plain"] == {
        "parameter": "plain",
        "label": "plain",
        "type": "string",
        "conditions": [{"required": True}],
    }


def test_title_and_description_are_given() -> None:
    assert (by_name()["titled"]["label"], by_name()["titled"]["description"]) == ("Titled", "What it is.")


def test_an_enum_gives_its_labels_by_name() -> None:
    assert by_name()["kind"] == {
        "parameter": "kind",
        "label": "Kind",
        "type": "enum",
        "values": {"small": "Small island", "large": "2"},
    }


def test_conditions_name_the_fields_and_values_that_require_a_field() -> None:
    assert by_name()["chosen"]["conditions"] == [{"required": [{"kind": "small"}]}]


def test_the_route_that_lists_the_values_is_given_with_its_method_and_inputs() -> None:
    assert by_name("/mounted")["chosen"]["req_endpoint"] == {
        "endpoint": "/mounted/model/choices",
        "method": "GET",
        "inputs": ["year", "deep"],
    }


def test_an_endpoint_given_in_full_is_taken_as_it_is() -> None:
    assert by_name()["elsewhere"]["req_endpoint"] == {"endpoint": "/x", "method": "GET", "inputs": []}


def test_an_endpoint_that_is_no_route_is_left_out() -> None:
    assert "req_endpoint" not in by_name()["nowhere"]


class Inner(BaseModel):
    x: int


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (bool, "boolean"),
        (str | None, "string"),
        (Annotated[int, Field(ge=1)], "integer"),
        (Annotated[list[str], Field(max_length=3)] | None, "array"),
        (list[str], "array"),
        (tuple[int, ...], "array"),
        (set[str], "array"),
        (Sequence[int], "array"),
        (Mapping[str, int], "object"),
        (bytes, "string"),
        (dict[str, int], "object"),
        (Inner, "object"),
        (Literal["a", "b"], "string"),
        (Literal[1, 2], "integer"),
        (int | str, "integer"),
        (Any, "string"),
    ],
    ids=str,
)
def test_a_type_is_given_as_json_knows_it(annotation: Any, kind: str) -> None:
    fields: dict[str, Any] = {"__annotations__": {"field": annotation}}
    model = type("Model", (BaseModel,), fields)
    other = APIRouter()

    async def answer(body: Any) -> None:
        raise NotImplementedError

    answer.__annotations__["body"] = model
    other.add_api_route("/predict", answer, methods=["POST"])
    assert (parameters(other) or [{}])[0]["type"] == kind


def test_a_router_without_predict_has_no_parameters() -> None:
    assert parameters(APIRouter()) is None


def test_a_predict_that_is_not_posted_to_does_not_count() -> None:
    other = APIRouter()

    @other.get("/predict")
    async def predict() -> str:
        raise NotImplementedError

    assert parameters(other) is None


def test_a_predict_without_a_definition_has_no_parameters() -> None:
    other = APIRouter()

    @other.post("/predict")
    async def predict(text: str) -> str:
        raise NotImplementedError

    assert parameters(other) is None
