"""The pages that are made of the code: nothing is missing in them, and nothing is without a word about it."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from common.settings import AREAS
from common.settings.base import Area
from common.telemetry import metrics
from deployment.reference import api_page, metrics_page, settings_page
from deployment.reference.api import meaning_of, operations
from deployment.reference.schema import bounds_of, type_of
from tests.common.test_docs import BUNDLED
from tests.support.markdown import row_names
from tests.support.plugins import make_app


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return make_app(tmp_path_factory.mktemp("state"), serve=BUNDLED).openapi()


def test_every_route_is_on_the_page_with_its_scope(document: dict[str, Any]) -> None:
    page = api_page(document)
    routes = list(operations(document))
    assert len(routes) > 100
    for method, path, operation in routes:
        section = page.partition(f"\n### `{method} {path}` ")[2].partition("\n### ")[0]
        assert operation["summary"] in section
        if operation.get("security"):
            assert "Asks for" in section, f"{method} {path} does not say what scope it asks for"


def test_every_route_and_every_parameter_says_what_it_is_for(document: dict[str, Any]) -> None:
    silent = [
        f"{method} {path}: {parameter['name']}"
        for method, path, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if not meaning_of(parameter)
    ]
    assert silent == []
    assert [path for _, path, operation in operations(document) if not operation.get("summary")] == []


def test_every_link_of_the_page_of_routes_leads_to_a_definition(document: dict[str, Any]) -> None:
    page = api_page(document)
    there = re.findall(r"\{: #([\w-]+) \}", page)
    assert len(there) == len(set(there))
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= set(there)


def test_every_setting_is_on_the_page_with_type_and_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.*?) \|$", settings_page(AREAS), re.MULTILINE)
    assert [row[0] for row in rows] == [
        str(field.validation_alias) for area in AREAS for field in area.model_fields.values()
    ]
    assert [row[0] for row in rows if not row[3].strip()] == [], "these settings have no description"


def test_a_setting_that_says_nothing_would_be_seen() -> None:
    class Silent(Area):
        """Nothing."""

        new: int = Field(1, validation_alias="NEW_SETTING")

    assert "| `NEW_SETTING` | whole number | `1` |  |" in settings_page([Silent])


def test_no_default_tells_where_this_checkout_lies() -> None:
    assert str(Path(__file__).parents[2]) not in settings_page(AREAS)
    assert "| `ATOLL_STATE` | path | `.atoll` in the checkout |" in settings_page(AREAS)


def test_every_metric_is_on_the_page_with_its_meaning() -> None:
    page = metrics_page(vars(metrics).values())
    exposed = set(re.findall(r"^# HELP (atoll_\w+)", metrics.exposition().decode(), re.MULTILINE))
    assert set(row_names(page)) == exposed
    assert re.findall(r"^\| `(\w+)` .*\|  \|$", page, re.MULTILINE) == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "`integer`"),
        ({"type": "array", "items": {"type": "string"}}, "list of `string`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "`string` or `null`"),
        ({"enum": ["a", "b"]}, "`a` or `b`"),
        ({"$ref": "#/components/schemas/common__jobs__Kind"}, "[Kind](#schema-common-jobs-kind)"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of `number`"),
        ({}, "any JSON"),
    ],
)
def test_a_type_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert type_of(schema) == words


def test_bounds_are_told_also_where_none_is_allowed() -> None:
    assert bounds_of({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}]}) == "1 to 9"
    assert bounds_of({"type": "number", "exclusiveMinimum": 0}) == "> 0"
