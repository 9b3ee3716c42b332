"""A plugin as third parties wrote them for the backend before Atoll: it must work as it stands."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_invalid

SOURCE = """
    from enum import Enum
    from typing import List, Optional

    from fastapi import APIRouter
    from pydantic import BaseModel, Field, validator

    router = APIRouter(prefix="/harvest", tags=["Harvest"])


    class Crop(str, Enum):
        taro = "Colocasia esculenta"
        yam = "Dioscorea"


    class Plot(BaseModel):
        crop: Crop = Field(..., title="Crop", example="Dioscorea")
        area: float = Field(..., title="Area", example=2.5)
        years: Optional[List[int]] = Field(None, title="Years")

        @validator("area")
        def check_area(cls, value):
            if value <= 0:
                raise ValueError("the area must be positive")
            return value


    @router.get("/crops")
    def crops():
        return {crop.name: crop.value for crop in Crop}


    @router.post("/forecast")
    async def forecast(plot: Plot, scale: int = 1):
        return {"crop": plot.crop, "tonnes": 10 * plot.area * scale}
"""

pytestmark = [
    # What they are written with is deprecated, not gone.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    path = write_plugin(tmp_path, "harvest", SOURCE)
    yield Client(make_app(tmp_path / "state", path=(path,), serve=("harvest", "sample")))
    del sys.modules["harvest"]


def test_it_answers(client: Client) -> None:
    response = client.post("/harvest/forecast?scale=2", json={"crop": "Dioscorea", "area": 1.5})
    assert (response.status_code, response.json()) == (200, {"crop": "Dioscorea", "tonnes": 30.0})


def test_its_plain_functions_answer(client: Client) -> None:
    assert client.get("/harvest/crops").json() == {"taro": "Colocasia esculenta", "yam": "Dioscorea"}


def test_its_enums_are_given_by_value_as_before(client: Client) -> None:
    response = client.post("/harvest/forecast", json={"crop": "yam", "area": 1})
    assert_invalid(response, "body.crop", told="Dioscorea")


def test_its_validators_run_and_their_message_is_told(client: Client) -> None:
    response = client.post("/harvest/forecast", json={"crop": "Dioscorea", "area": 0})
    error = assert_invalid(response, "body.area")
    assert error["message"] == "the area must be positive"


def test_its_routes_are_documented(client: Client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/harvest/forecast"]["post"]
    assert operation["tags"] == ["Harvest"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["scale"]
    assert document["components"]["schemas"]["Plot"]["properties"]["area"]["example"] == 2.5


def test_it_is_listed_as_ready_with_its_routes(client: Client) -> None:
    models = {model["name"]: model for model in client.get("/models").json()}
    assert models["harvest"]["state"] == "ready"
    assert models["harvest"]["routes"] == ["GET /harvest/crops", "POST /harvest/forecast"]


def test_only_its_inputs_are_missing_from_the_parameters(client: Client) -> None:
    params = {item["model"]: item for item in client.get("/params").json()}
    assert params["harvest"] == {"model": "harvest", "label": "Harvest"}
    assert "inputs" in params["sample"]
