import datetime
import enum
import json
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field, ValidationError

from common.plugins import BaseDefinition, param


class Scheme(enum.Enum):
    MANUAL = "Chosen by hand"
    AUTO = "Chosen by the model"


class Colour(str, enum.Enum):  # noqa: UP042 - as old plugins write them
    red = "#f00"
    title = "a member's name that text has too"  # type: ignore[assignment]  # that is the point


class Question(BaseDefinition):
    scheme: Scheme
    other: Scheme | None = None
    old_style: Optional[Scheme] = None  # noqa: UP045 - plugins write it both ways
    several: list[Scheme] = Field(default_factory=list)
    by_name: dict[str, Scheme] = Field(default_factory=dict)
    nested: list[dict[str, Scheme | None]] | None = None
    fallback: Scheme = Scheme.AUTO
    colour: Colour = Colour.red


class Later(Question):
    """Inherits its enums."""

    added: Scheme = Scheme.MANUAL


def errors(model: type[BaseModel], **given: Any) -> dict[tuple[int | str, ...], str]:
    """Place -> message."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(given)
    return {item["loc"]: item["msg"] for item in refused.value.errors()}


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ("scheme", "AUTO", Scheme.AUTO),
        ("other", "AUTO", Scheme.AUTO),
        ("other", None, None),
        ("old_style", "AUTO", Scheme.AUTO),
        ("several", ["AUTO", "MANUAL"], [Scheme.AUTO, Scheme.MANUAL]),
        ("by_name", {"a": "AUTO"}, {"a": Scheme.AUTO}),
        ("nested", [{"a": "AUTO", "b": None}], [{"a": Scheme.AUTO, "b": None}]),
        ("colour", "title", Colour.title),
    ],
)
@pytest.mark.parametrize("model", [Question, Later])
def test_an_enum_is_given_by_its_members_name(model: type[Question], field: str, given: object, read: object) -> None:
    assert getattr(model.model_validate({"scheme": "MANUAL"} | {field: given}), field) == read


@pytest.mark.parametrize("field", ["scheme", "other", "old_style", "fallback"])
def test_a_label_is_refused_and_the_names_are_told(field: str) -> None:
    found = errors(Question, **({"scheme": "MANUAL"} | {field: "Chosen by hand"}))
    assert found[(field,)] == "Input should be 'MANUAL' or 'AUTO'"


def test_a_label_in_a_list_is_refused_at_its_place() -> None:
    assert ("several", 1) in errors(Question, scheme="AUTO", several=["AUTO", "Chosen by hand"])


@pytest.mark.parametrize("value", [1, True, None, [], {}, "manual", " MANUAL"])
def test_what_is_no_name_is_refused(value: object) -> None:
    assert ("scheme",) in errors(Question, scheme=value)


def test_python_code_may_give_the_member_itself() -> None:
    assert Question(scheme=Scheme.AUTO).scheme is Scheme.AUTO


def test_an_enum_is_answered_by_name() -> None:
    question = Question(scheme=Scheme.AUTO, several=[Scheme.MANUAL], by_name={"a": Scheme.AUTO}, colour=Colour.title)
    for written in (question.model_dump(), json.loads(question.model_dump_json())):
        assert written["scheme"] == "AUTO"
        assert written["several"] == ["MANUAL"]
        assert written["by_name"] == {"a": "AUTO"}
        assert written["fallback"] == "AUTO"
        assert written["colour"] == "title"


@pytest.mark.parametrize("model", [Question, Later])
def test_what_was_answered_can_be_sent_again(model: type[Question]) -> None:
    question = model(scheme=Scheme.AUTO, several=[Scheme.MANUAL], nested=[{"a": None}])
    assert model.model_validate_json(question.model_dump_json()) == question


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_names_members_everywhere(mode: Literal["validation", "serialization"]) -> None:
    written = json.dumps(Question.model_json_schema(mode=mode))
    assert "Chosen by" not in written
    assert "#f00" not in written


def test_the_schema_lists_the_names() -> None:
    schema = Question.model_json_schema()["properties"]
    assert schema["scheme"]["enum"] == ["MANUAL", "AUTO"]
    assert {"enum": ["MANUAL", "AUTO"], "type": "string"} in schema["other"]["anyOf"]
    assert schema["several"]["items"]["enum"] == ["MANUAL", "AUTO"]


@pytest.mark.parametrize(("model", "field", "name"), [(Question, "fallback", "AUTO"), (Later, "added", "MANUAL")])
def test_a_default_is_documented_by_name(model: type[BaseModel], field: str, name: str) -> None:
    assert model.model_json_schema()["properties"][field]["default"] == name


def test_a_default_list_of_members_is_documented_by_name() -> None:
    class Several(BaseDefinition):
        schemes: list[Scheme] = [Scheme.AUTO]  # noqa: RUF012 - pydantic copies it

    assert Several.model_json_schema()["properties"]["schemes"]["default"] == ["AUTO"]


def test_other_defaults_are_documented_as_json() -> None:
    class Dated(BaseDefinition):
        day: datetime.date = datetime.date(2001, 2, 3)
        days: tuple[datetime.date, ...] = (datetime.date(2001, 2, 3),)

    properties = Dated.model_json_schema()["properties"]
    assert properties["day"]["default"] == "2001-02-03"
    assert properties["days"]["default"] == ["2001-02-03"]


def test_an_alias_is_documented_and_its_default_too() -> None:
    class Renamed(BaseDefinition):
        scheme: Scheme = Field(Scheme.AUTO, alias="the scheme")

    assert Renamed.model_json_schema()["properties"]["the scheme"]["default"] == "AUTO"
    assert Renamed.model_validate({"the scheme": "MANUAL"}).scheme is Scheme.MANUAL


def test_a_field_that_is_not_declared_is_refused() -> None:
    assert errors(Question, scheme="AUTO", shceme="AUTO") == {("shceme",): "Extra inputs are not permitted"}


class Conditional(BaseDefinition):
    scheme: Scheme = param(title="Scheme")
    number: int = 0
    chosen: list[str] | None = param(None, title="Chosen", required_if=[{"scheme": Scheme.MANUAL}])
    limit: int | None = param(
        None, title="Limit", required_if=[{"scheme": "AUTO", "number": 1}, {"scheme": "MANUAL", "number": 2}]
    )


def test_a_field_that_is_required_under_a_condition_is_refused_at_its_place_with_the_condition() -> None:
    assert errors(Conditional, scheme="MANUAL") == {("chosen",): "Field required when scheme is MANUAL"}


def test_a_field_is_not_required_where_the_condition_does_not_hold() -> None:
    assert Conditional(scheme=Scheme.AUTO).chosen is None


def test_a_field_given_as_required_is_taken() -> None:
    assert Conditional(scheme=Scheme.MANUAL, chosen=["a"]).chosen == ["a"]


def test_null_does_not_meet_a_condition() -> None:
    assert ("chosen",) in errors(Conditional, scheme="MANUAL", chosen=None)


@pytest.mark.parametrize(("scheme", "number", "required"), [("AUTO", 1, True), ("AUTO", 2, False), ("AUTO", 0, False)])
def test_all_fields_of_one_condition_must_hold(scheme: str, number: int, required: bool) -> None:
    if required:
        assert errors(Conditional, scheme=scheme, number=number) == {
            ("limit",): "Field required when scheme is AUTO and number is 1"
        }
    else:
        assert Conditional.model_validate({"scheme": scheme, "number": number}).limit is None


def test_any_one_of_several_conditions_is_enough() -> None:
    found = errors(Conditional, scheme="MANUAL", chosen=["a"], number=2)
    assert found == {("limit",): "Field required when scheme is MANUAL and number is 2"}


def test_all_missing_fields_are_told_at_once() -> None:
    assert set(errors(Conditional, scheme="MANUAL", number=2)) == {("chosen",), ("limit",)}


def test_conditions_in_a_nested_definition_are_told_at_their_place() -> None:
    class Outer(BaseDefinition):
        inner: list[Conditional]

    assert set(errors(Outer, inner=[{"scheme": "AUTO"}, {"scheme": "MANUAL"}])) == {("inner", 1, "chosen")}


def test_conditions_stand_in_the_schema_by_name() -> None:
    schema = Conditional.model_json_schema()["properties"]["chosen"]
    assert schema["required_if"] == [{"scheme": "MANUAL"}]


def test_an_example_stands_in_the_schema() -> None:
    class Shown(BaseDefinition):
        name: str = param(title="Name", example="Fiji")

    assert Shown.model_json_schema()["properties"]["name"]["examples"] == ["Fiji"]


class Deep(BaseDefinition):
    within: list[Annotated[Scheme, Field(title="Scheme")]] = Field(default_factory=list)
    one: Literal[Scheme.AUTO] = Scheme.AUTO
    mixed: Literal[Scheme.AUTO, "other", 3] | None = None


class Deeper(Deep):
    """Inherits its enums."""


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ("within", ["AUTO"], [Scheme.AUTO]),
        ("one", "AUTO", Scheme.AUTO),
        ("mixed", "AUTO", Scheme.AUTO),
        ("mixed", "other", "other"),
        ("mixed", 3, 3),
    ],
)
@pytest.mark.parametrize("model", [Deep, Deeper])
def test_an_enum_is_given_and_answered_by_name_wherever_it_stands(
    model: type[Deep], field: str, given: object, read: object
) -> None:
    definition = model.model_validate({field: given})
    assert getattr(definition, field) == read
    assert json.loads(definition.model_dump_json())[field] == given


@pytest.mark.parametrize("field", ["one", "mixed"])
def test_a_literal_accepts_no_label_and_no_other_member(field: str) -> None:
    for value in ("Chosen by the model", "MANUAL"):
        assert (field,) in errors(Deep, **{field: value})


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_of_a_literal_names_its_members(mode: Literal["validation", "serialization"]) -> None:
    schema = Deep.model_json_schema(mode=mode)
    assert "Chosen by" not in json.dumps(schema)
    assert schema["properties"]["one"]["default"] == "AUTO"


def test_a_condition_on_a_field_that_is_not_there_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="required_if names shceme, which is no field"):

        class Misspelt(BaseDefinition):
            scheme: Scheme
            chosen: str | None = param(None, title="Chosen", required_if=[{"shceme": "AUTO"}])


def test_a_condition_may_name_an_inherited_field() -> None:
    class Inherits(Conditional):
        more: str | None = param(None, title="More", required_if=[{"number": 7}])

    assert ("more",) in errors(Inherits, scheme="AUTO", number=7)
    assert ("chosen",) in errors(Inherits, scheme="MANUAL")
