"""Request definitions: pydantic models whose enums are given by member name, and fields required under conditions."""

import enum
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema, to_jsonable_python

Conditions = Sequence[Mapping[str, Any]]


def param(
    default: Any = ...,
    *,
    title: str,
    description: str | None = None,
    example: Any = None,
    required_if: Conditions | None = None,
    req_endpoint: str | Mapping[str, Any] | None = None,
    **constraints: Any,
) -> Any:
    """A field of a request definition; as pydantic's `Field`, plus what forms and `/params` need.

    Parameters
    ----------
    required_if : conditions on other fields, e.g. `[{"scheme": "MANUAL"}]`: the field must be given when every field of
        any one of them has the value named (enums by member name).
    req_endpoint : last path segment of the plugin's route that lists the accepted values.
    """
    extra: dict[str, Any] = {}
    if required_if is not None:
        extra["required_if"] = [{name: _plain(value) for name, value in item.items()} for item in required_if]
    if req_endpoint is not None:
        extra["req_endpoint"] = req_endpoint
    return Field(
        default,
        title=title,
        description=description,
        examples=None if example is None else [example],
        json_schema_extra=extra or None,
        **constraints,
    )


def _plain(value: object) -> object:
    return value.name if isinstance(value, enum.Enum) else value


def _plain_within(value: object) -> object:
    """As `_plain`, in lists too."""
    return [_plain_within(item) for item in value] if isinstance(value, list | tuple) else _plain(value)


def conditions_of(model: type[BaseModel], field: str) -> list[dict[str, Any]]:
    """`required_if` of a field, values as they are sent (enums by name); empty if it has none."""
    extra = model.model_fields[field].json_schema_extra
    found = extra.get("required_if") if isinstance(extra, dict) else None
    if not isinstance(found, Sequence):
        return []
    return [{name: _plain(value) for name, value in item.items()} for item in found if isinstance(item, Mapping)]


def _no_text_or_flag(value: object) -> object:
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


# A whole number: 7 and 7.0, but neither "7" nor true, which pydantic would take.
Whole = Annotated[int, BeforeValidator(_no_text_or_flag)]


class _ByName:
    """Marks an enum, or a `Literal` of members, that is given, documented and answered by member name."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, _: GetCoreSchemaHandler) -> CoreSchema:
        if get_origin(source) is Literal:
            accepted = {_plain(value): value for value in get_args(source)}
        else:
            accepted = dict(source.__members__)
        return core_schema.no_info_after_validator_function(
            accepted.__getitem__,
            core_schema.no_info_before_validator_function(_plain, core_schema.literal_schema(list(accepted))),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _plain,
                return_schema=core_schema.str_schema() if all(isinstance(name, str) for name in accepted) else None,
                when_used="always",
            ),
        )


def _by_name(annotation: Any) -> Any:
    """The annotation with each enum in it marked; pydantic knows enums by value only, and has no setting for names."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Annotated[annotation, _ByName()]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Annotated[annotation, _ByName()] if any(isinstance(value, enum.Enum) for value in args) else annotation
    if origin is Annotated:
        inner, *metadata = args
        # It is inherited marked.
        return annotation if any(isinstance(item, _ByName) for item in metadata) else _annotated(inner, metadata)
    if origin is None or not args:
        return annotation
    marked = tuple(_by_name(part) for part in args)
    if marked == args:
        return annotation
    if origin in (Union, types.UnionType):
        return Union[marked]  # noqa: UP007 - built from values
    return origin[marked]


def _annotated(inner: Any, metadata: Sequence[Any]) -> Any:
    return Annotated[(_by_name(inner), *metadata)]


class BaseDefinition(BaseModel):
    """Base of request and response definitions.

    - An enum is given, documented and answered by its member's name; its value is the label that people see.
    - `required_if` (see `param`) is checked; the error stands at the field and names the condition.
    - Fields that are not declared are refused, so a misspelt option is not silently ignored.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    # Field -> its conditions, of the fields that have any.
    _conditions: ClassVar[dict[str, list[dict[str, Any]]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        fields = cls.__pydantic_fields__
        cls._conditions = {name: found for name in fields if (found := conditions_of(cls, name))}
        for name, conditions in cls._conditions.items():
            unknown = sorted({other for condition in conditions for other in condition} - fields.keys())
            if unknown:
                raise TypeError(f"{cls.__name__}.{name}: required_if names {', '.join(unknown)}, which is no field")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Before pydantic builds the validators from the fields; they are inherited, so a mark may be there already.
        for field in cls.__pydantic_fields__.values():
            field.annotation = _by_name(field.annotation)
        return handler(source)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written = handler(schema)
        properties = handler.resolve_ref_schema(written).get("properties", {})
        for name, field in cls.model_fields.items():
            # pydantic documents a default by the member's value, which would be refused.
            plain = _plain_within(field.default)
            if plain != field.default and "default" in (shown := properties.get(field.alias or name, {})):
                shown["default"] = to_jsonable_python(plain)
        return written

    @model_validator(mode="after")
    def _check_required_if(self) -> Self:
        missing: list[InitErrorDetails] = []
        for name, conditions in self._conditions.items():
            if getattr(self, name) is not None:
                continue
            for condition in conditions:
                if all(_plain(getattr(self, other)) == value for other, value in condition.items()):
                    told = " and ".join(f"{other} is {value}" for other, value in condition.items())
                    error = PydanticCustomError("required_if", "Field required when {condition}", {"condition": told})
                    missing.append({"type": error, "loc": (name,), "input": None})
                    break
        if missing:
            # pydantic merges these into the outer error, each at its own field.
            raise ValidationError.from_exception_data(type(self).__name__, missing)
        return self
