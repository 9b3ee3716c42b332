"""`GET /jobs`: what can be asked of the list."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from common.clock import first_id, id_time, new_id
from tests.support.plugins import make_app
from tests.support.problems import assert_invalid
from tests.support.trainings import TrainingClient

POINTS = {"x": [0, 1], "y": [0, 1], "trials": 1}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingClient]:
    made = TrainingClient(make_app(tmp_path_factory.mktemp("jobs"), serve=("sample",)))
    yield made
    made.jobs.stop(0)


@pytest.fixture(scope="module")
def jobs(client: TrainingClient) -> list[str]:
    """Four jobs, the first one cancelled and the second one done, from the oldest."""
    made = [client.job(client.post("/sample_model/train", json=POINTS)) for _ in range(4)]
    client.jobs.service.cancel(made[0].id)
    client.run(made[1])
    return [job.id for job in made]


def listed(client: TrainingClient, query: str) -> list[str]:
    answer = client.get(f"/jobs?{query}")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def created(client: TrainingClient, job_id: str) -> datetime:
    return datetime.fromisoformat(client.get(f"/jobs/{job_id}").json()["created"])


def test_a_repeated_state_lists_any_of_them(client: TrainingClient, jobs: list[str]) -> None:
    assert listed(client, "state=cancelled&state=succeeded") == [jobs[1], jobs[0]]
    assert listed(client, "state=queued") == [jobs[3], jobs[2]]


def test_a_page_of_several_states_goes_on_at_its_cursor(client: TrainingClient, jobs: list[str]) -> None:
    first = client.get("/jobs?state=cancelled&state=queued&limit=2").json()
    assert listed(client, f"state=cancelled&state=queued&limit=2&cursor={first['next']}") == [jobs[0]]


@pytest.mark.parametrize("zone", ["Z", "+00:00", "%2B00:00"])
def test_times_are_from_then_on_and_before_then(client: TrainingClient, jobs: list[str], zone: str) -> None:
    after, before = (created(client, job).replace(tzinfo=None).isoformat() + zone for job in (jobs[1], jobs[3]))
    assert listed(client, f"created_after={after}&created_before={before}") == [jobs[2], jobs[1]]


def test_a_time_may_be_of_any_zone(client: TrainingClient, jobs: list[str]) -> None:
    elsewhere = created(client, jobs[2]) + timedelta(hours=5, minutes=30)
    text = elsewhere.replace(tzinfo=None).isoformat() + "+05:30"
    assert listed(client, f"created_after={quote(text)}") == [jobs[3], jobs[2]]


@pytest.mark.parametrize(("owner", "number"), [("", 4), ("nobody", 0)])
def test_the_list_can_be_of_one_owner(client: TrainingClient, jobs: list[str], owner: str, number: int) -> None:
    assert len(listed(client, f"owner={owner}")) == number


@pytest.mark.parametrize("name", ["created_after", "created_before"])
@pytest.mark.parametrize(
    "given", ["yesterday", "2026-01-31", "2026-01-31T12:00:00", "1769860800", "", "2026-01-31 12:00"]
)
def test_a_time_without_its_zone_is_refused_with_what_to_send(client: TrainingClient, name: str, given: str) -> None:
    assert_invalid(client.get(f"/jobs?{name}={given}"), f"query.{name}", told="ISO 8601 with its zone, e.g.")


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_out_of_all_bounds_are_times(client: TrainingClient, jobs: list[str], given: str) -> None:
    either = [listed(client, f"created_{side}={quote(given)}") for side in ("after", "before")]
    assert sorted(map(len, either)) == [0, 4]


def test_an_end_before_the_beginning_is_refused(client: TrainingClient) -> None:
    answer = client.get("/jobs?created_after=2026-02-01T00:00:00Z&created_before=2026-01-01T00:00:00Z")
    assert_invalid(answer, "query.created_before", told="is not later than created_after")


def test_an_unknown_state_is_refused(client: TrainingClient) -> None:
    assert_invalid(client.get("/jobs?state=queued&state=asleep"), "query.state.1")


def test_a_list_that_has_not_changed_is_answered_304_and_a_changed_one_whole(
    client: TrainingClient, jobs: list[str]
) -> None:
    first = client.get("/jobs?limit=2")
    known = {"If-None-Match": first.headers["etag"]}
    again = client.get("/jobs?limit=2", headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["cache-control"] == "private, no-cache"
    assert client.get("/jobs?limit=3", headers=known).status_code == 200
    new = client.job(client.post("/sample_model/train", json=POINTS))
    changed = client.get("/jobs?limit=2", headers=known)
    assert [job["id"] for job in changed.json()["jobs"]] == [new.id, jobs[3]]
    client.jobs.store.request_cancel(new.id)
    cancelled = client.get("/jobs?limit=2", headers={"If-None-Match": changed.headers["etag"]})
    assert cancelled.json()["jobs"][0]["state"] == "cancelled"


def test_a_long_list_is_compressed_for_who_takes_it(client: TrainingClient, jobs: list[str]) -> None:
    packed = client.get("/jobs", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/jobs", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert "Accept-Encoding" in packed.headers["vary"]


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC)
    made = new_id()
    assert abs(id_time(made) - before) < timedelta(minutes=1)
    assert first_id(id_time(made)) <= made < first_id(id_time(made) + timedelta(microseconds=1))
