from tests.support.clients import Client


def test_the_index_names_atoll_and_its_version(client: Client) -> None:
    body = client.get("/").json()
    assert body["name"] == "Atoll"
    assert body["version"]


def test_every_link_of_the_index_answers(client: Client) -> None:
    client.app.state.runtime.start()  # type: ignore[attr-defined]  # the app made by create_app
    links = client.get("/").json()["links"]
    assert len(links) >= 8
    assert {path: client.get(path).status_code for path in links.values()} == dict.fromkeys(links.values(), 200)
