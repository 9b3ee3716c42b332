"""What the campaign would call a broken promise."""

from tests.campaign import checks
from tests.campaign.checks import Change, Facts, Record, Submitted, VersionRow

JOB = "job-1"


def facts(*records: Record, **more: object) -> Facts:
    empty: dict[str, object] = {"changes": [], "versions": [], "attempts": {}}
    return Facts({record.id: record for record in records}, **{**empty, **more})  # type: ignore[arg-type]


def training(state: str = "succeeded", error: str | None = None, **more: object) -> Record:
    return Record(JOB, "training", state, error, 1, **more)  # type: ignore[arg-type]


def submitted(**more: object) -> Submitted:
    return Submitted("token-1", "steps", **{"ids": {JOB}, **more})  # type: ignore[arg-type]


def test_an_accepted_job_without_a_record_is_lost() -> None:
    assert checks.lost_jobs([submitted()], facts()) == [f"{JOB} was accepted and has no record"]


def test_an_accepted_job_that_never_ends_is_lost() -> None:
    assert checks.lost_jobs([submitted()], facts(training("retrying"))) == [
        f"{JOB} was accepted and is retrying in the end"
    ]


def test_a_job_that_was_never_accepted_cannot_be_lost() -> None:
    assert checks.lost_jobs([submitted(ids=set())], facts()) == []


def test_a_key_that_gives_two_jobs_is_a_doubled_effect() -> None:
    assert checks.keys_doubled([submitted(ids={JOB, "job-2"})]) == ["key token-1 gave 2 jobs"]


def test_a_dead_job_has_to_say_why() -> None:
    assert checks.silent_deaths(facts(training("dead", " "))) == [f"{JOB} is dead without an error"]
    assert checks.silent_deaths(facts(training("dead", "the worker vanished"))) == []


def test_a_lost_attempt_has_to_say_why() -> None:
    found = facts(training(), attempts={(JOB, 1): ("lost", None), (JOB, 2): ("succeed", None)})
    assert checks.silent_deaths(found) == [f"attempt 1 of {JOB} ended by lost without an error"]


def test_an_attempt_of_a_finished_job_has_ended() -> None:
    assert checks.silent_deaths(facts(training(), attempts={(JOB, 1): (None, None)})) == [
        f"attempt 1 of {JOB} never ended"
    ]


def test_a_job_that_succeeds_twice_is_a_doubled_effect() -> None:
    twice = [Change(JOB, 1, "running", "succeeded"), Change(JOB, 2, "running", "succeeded")]
    assert checks.effects_doubled([], facts(training(), changes=twice)) == [f"{JOB} succeeded 2 times"]


def test_two_versions_of_a_job_are_a_doubled_effect() -> None:
    found = facts(training(), versions=[VersionRow(1, JOB), VersionRow(2, JOB)])
    assert checks.effects_doubled([], found) == [f"{JOB} has 2 versions"]


def test_a_version_of_a_job_that_failed_is_a_doubled_effect() -> None:
    found = facts(training("failed", "no"), versions=[VersionRow(1, JOB)])
    assert checks.effects_doubled([], found) == [f"a version is of {JOB}, which is failed"]


def test_a_job_that_was_cancelled_may_not_succeed() -> None:
    assert checks.effects_doubled([submitted(cancelled=True)], facts(training())) == [
        f"{JOB} was cancelled, and is succeeded"
    ]


def test_a_succeeded_training_has_a_version() -> None:
    assert checks.effects_missing(facts(training())) == [f"{JOB} succeeded and has no version"]
    assert checks.effects_missing(facts(training(), versions=[VersionRow(1, JOB)])) == []


def test_a_helper_needs_no_version() -> None:
    assert checks.effects_missing(facts(training(is_helper=True))) == []


def test_a_version_number_that_was_left_out_is_found() -> None:
    [found] = checks.effects_missing(facts(training(), versions=[VersionRow(1, JOB), VersionRow(3, None)]))
    assert "gaps" in found


def test_an_end_that_changed_after_it_was_seen_is_wrong() -> None:
    assert checks.wrong_ends([submitted(seen="dead")], facts(training())) == [f"{JOB} was seen dead, and is succeeded"]


def test_a_job_that_should_succeed_may_be_dead_but_not_failed() -> None:
    assert checks.wrong_ends([submitted()], facts(training("dead", "six attempts"))) == []
    assert checks.wrong_ends([submitted()], facts(training("failed", "no"))) == [f"{JOB} is failed (no), not succeeded"]


def test_a_job_that_nobody_cancelled_may_not_be_cancelled() -> None:
    assert checks.wrong_ends([submitted()], facts(training("cancelled"))) != []
    assert checks.wrong_ends([submitted(cancelled=True)], facts(training("cancelled"))) == []


def test_changes_that_the_kernel_does_not_know_are_found() -> None:
    legal = [Change(JOB, 1, "queued", "running"), Change(JOB, 1, "running", "retrying")]
    assert checks.illegal_changes(facts(changes=legal)) == []
    wrong = [*legal, Change(JOB, 1, "retrying", "succeeded")]
    assert checks.illegal_changes(facts(changes=wrong)) == [f"{JOB} went from retrying to succeeded"]


def test_an_epoch_never_goes_back() -> None:
    back = [Change(JOB, 2, "queued", "running"), Change(JOB, 1, "running", "retrying")]
    assert checks.illegal_changes(facts(changes=back)) == [f"{JOB} went back to epoch 1"]


def test_a_record_that_was_deleted_is_found() -> None:
    gone = [Change(JOB, 1, "succeeded", "deleted")]
    assert checks.illegal_changes(facts(changes=gone)) == [f"the record of {JOB} was deleted"]


def test_searches_with_one_seed_find_the_same() -> None:
    assert checks.unequal_results({1: {"a": b"x", "b": b"x"}, 2: {"c": b"y"}}) == []
    assert len(checks.unequal_results({1: {"a": b"x", "b": b"y"}})) == 1


def test_a_wait_beyond_the_limit_is_found() -> None:
    assert checks.too_slow([1.0, 59.9], 60, "it began again") == []
    assert len(checks.too_slow([1.0, float("inf")], 60, "it began again")) == 1
