"""Over HTTP: what is asked and answered, on the own prefix and on the old one."""

from typing import Any

import pytest

from tests.support.clients import Client
from tests.support.plugins import make_app
from tests.support.problems import assert_problem


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(make_app(tmp_path_factory.mktemp("state"), serve=("sentiment",), max_body_bytes=50_000_000))


def ask(client: Client, *texts: str, path: str = "/sentiment/predict", **more: Any) -> Any:
    got = client.post(path, json={"text": texts, **more})
    assert got.status_code == 200, got.text[:500]
    return got.json()


@pytest.mark.parametrize("path", ["/sentiment/predict", "/project/bulk-predict", "/project/predict"])
def test_love_is_positive_and_hate_negative(client: Client, path: str) -> None:
    love, hate = ask(client, "I love this", "I hate this", path=path)["predictions"]
    assert [one["label"] for one in love] == ["POSITIVE", "NEGATIVE"]
    assert [one["label"] for one in hate] == ["NEGATIVE", "POSITIVE"]
    for scores in (love, hate):
        assert scores[0]["score"] >= scores[1]["score"]
        assert sum(one["score"] for one in scores) == pytest.approx(1.0)


def test_no_texts_are_answered_with_none(client: Client) -> None:
    assert ask(client) == {"predictions": []}


def test_each_text_is_kept_for_itself(client: Client) -> None:
    texts = ["a fine film", "a dull film", "an odd film"]
    sent = client.post("/sentiment/predict", json={"text": texts})
    again = client.post("/project/bulk-predict", json={"text": texts[::-1]})
    assert (sent.headers["x-cache"], again.headers["x-cache"]) == ("miss", "hit")
    assert again.json()["predictions"] == sent.json()["predictions"][::-1]


def test_a_text_is_answered_alike_alone_and_among_others(client: Client) -> None:
    fresh = {"Cache-Control": "no-store"}
    texts = ["good", "this is a rather long text about a film that nobody liked at all " * 4, "bad"]
    alone = [client.post("/sentiment/predict", json={"text": [text]}, headers=fresh).json() for text in texts]
    together = client.post("/sentiment/predict", json={"text": texts}, headers=fresh).json()
    for one, among in zip(alone, together["predictions"], strict=True):
        assert one["predictions"][0][0]["score"] == pytest.approx(among[0]["score"], abs=1e-5)


def test_json_without_a_content_type_is_taken(client: Client) -> None:
    for path in ("/sentiment/predict", "/project/bulk-predict"):
        got = client.post(path, content=b'{"text": ["I love this"]}')
        assert got.status_code == 200, got.text
        assert "content-type" not in got.request.headers


LONG = "I love this wonderful film. " * 800


def test_a_long_text_is_read_whole_cut_or_refused_as_asked(client: Client) -> None:
    mixed = "Nice. " * 600 + "I hate this awful, terrible, boring mess. " * 2000
    whole, cut = (ask(client, mixed, truncated=how)["predictions"][0] for how in ("window", "truncate"))
    assert whole[0]["label"] == "NEGATIVE"
    assert whole != cut
    assert ask(client, LONG)["predictions"][0][0]["label"] == "POSITIVE"
    problem = assert_problem(client.post("/sentiment/predict", json={"text": [LONG], "truncated": "error"}), 422)
    assert "send `window`" in problem["detail"]


STRANGE = ["", " ", "\x00\x01\x1b[31m", "😀" * 50, "\u202e\ufeff", "ﷺ" * 10, "a" * 5000, "1e999", "{}", "é" * 100]


def test_strange_texts_are_answered(client: Client) -> None:
    assert len(ask(client, *STRANGE)["predictions"]) == len(STRANGE)


@pytest.mark.parametrize(
    "body",
    [
        {"text": "one"},
        {"text": None},
        {"text": [1]},
        {"text": [None]},
        {"text": [["a"]]},
        {"text": {}},
        {},
        [],
        {"text": ["a"], "extra": 1},
        {"text": ["a"], "truncated": "perhaps"},
    ],
)
def test_a_wrong_body_is_refused_in_both_shapes(client: Client, body: Any) -> None:
    assert_problem(client.post("/sentiment/predict", json=body), 422)
    old = client.post("/project/bulk-predict", json=body)
    assert old.status_code == 422
    assert {"type", "loc", "msg"} <= set(old.json()["detail"][0])


@pytest.mark.parametrize("path", ["/sentiment/predict", "/project/bulk-predict"])
@pytest.mark.parametrize("half", [b"\\ud800", b"a\\udc00b"])
def test_half_a_character_is_no_text(client: Client, path: str, half: bytes) -> None:
    got = client.post(path, content=b'{"text": ["%s"]}' % half)
    assert got.status_code in (200, 422)


@pytest.mark.parametrize("path", ["/sentiment/predict", "/project/bulk-predict"])
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"text":' + b"[" * 500 + b"]" * 500 + b"}"])
def test_json_nested_without_end_is_refused(client: Client, path: str, body: bytes) -> None:
    assert client.post(path, content=body).status_code in (400, 422)


def test_ten_thousand_texts_are_answered(client: Client) -> None:
    texts = [f"film {number % 50}" for number in range(10_000)]
    found = ask(client, *texts)["predictions"]
    assert len(found) == 10_000
    assert found[0] == found[9_950]


def test_sizes_are_bounded(client: Client) -> None:
    assert_problem(client.post("/sentiment/predict", json={"text": ["a"] * 10_001}), 413, told="at most 10000")
    assert_problem(client.post("/sentiment/predict", json={"text": ["a", "b" * 200_001]}), 413, told="text[1]")
    assert len(ask(client, "word " * 20_000)["predictions"]) == 1


def test_an_explanation_names_each_word(client: Client) -> None:
    found = ask(client, "a truly terrible film", path="/sentiment/predict?explain=true")
    weights = {one["token"]: one["weight"] for one in found["explanations"][0]}
    assert list(weights) == ["a", "truly", "terrible", "film"]
    assert min(weights, key=lambda word: weights[word]) == "terrible"
    assert found["predictions"] == ask(client, "a truly terrible film")["predictions"]
    too_long = client.post("/sentiment/predict?explain=true", json={"text": ["word " * 300]})
    assert_problem(too_long, 413, told="at most 200")


def test_the_old_routes_beside(client: Client) -> None:
    assert client.get("/project/health").json() == {"status": "healthy"}
    assert client.get("/project/docs").headers["location"] == "/docs#/Sentiment"
