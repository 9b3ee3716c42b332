from pathlib import Path

import pytest

from tests.support.clients import Client
from tests.support.plugins import make_app
from tests.support.problems import assert_invalid


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(make_app(tmp_path))


def test_it_greets(client: Client) -> None:
    response = client.post("/sample_model/predict", json={"requiredField": "required 123"})
    assert (response.status_code, response.json()) == (200, {"resp1": "Hello required 123"})


def test_the_optional_field_may_be_given(client: Client) -> None:
    response = client.post("/sample_model/predict", json={"requiredField": "you", "optionalField": "x"})
    assert response.json() == {"resp1": "Hello you"}


@pytest.mark.parametrize("path", ["/sample_model/predict", "/sample_model/test_endpoint1"])
def test_the_required_field_is_required(client: Client, path: str) -> None:
    assert_invalid(client.post(path, json={}), "body.requiredField", told="Field required")


def test_the_first_test_endpoint_answers_the_same_to_every_valid_request(client: Client) -> None:
    assert client.post("/sample_model/test_endpoint1", json={"requiredField": "x"}).json() == {"resp1": "Test 1"}


def test_the_second_test_endpoint_greets_by_a_query_parameter(client: Client) -> None:
    assert client.post("/sample_model/test_endpoint2", params={"name": "Fale"}).json() == "Hi Fale"


def test_its_parameters_are_listed_exactly_so(client: Client) -> None:
    assert client.get("/params").json() == [
        {
            "model": "sample",
            "label": "Sample Model",
            "inputs": [
                {
                    "parameter": "requiredField",
                    "label": "Required field",
                    "description": "Any text.",
                    "type": "string",
                    "conditions": [{"required": True}],
                },
                {
                    "parameter": "optionalField",
                    "label": "Optional field",
                    "description": "Any text.",
                    "type": "string",
                },
            ],
        }
    ]


def test_it_is_listed_exactly_so(client: Client) -> None:
    assert client.get("/models").json() == [
        {
            "name": "sample",
            "title": "Sample Model",
            "description": "The plugin to copy: a typed request, a typed answer, three routes, batches, and "
            "a training.",
            "state": "ready",
            "reason": None,
            "routes": [
                "POST /sample_model/predict",
                "POST /sample_model/test_endpoint1",
                "POST /sample_model/test_endpoint2",
                "POST /sample_model/train",
            ],
            "old_prefixes": [],
            "load_s": None,
            "failed_versions": {},
            "panels": [],
        }
    ]


def test_served_alone_it_is_ready_without_any_data(client: Client) -> None:
    assert client.get("/health/ready").status_code == 200
