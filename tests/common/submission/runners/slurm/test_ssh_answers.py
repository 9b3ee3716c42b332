import pytest

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.slurm.ssh.answers import failure, job_id
from common.submission.runners.slurm.ssh.connection import Answer
from common.submission.runners.slurm.ssh.facts import read_facts
from common.submission.runners.slurm.ssh.remote import DOWN, MARK, REFUSED, command

FAILED = "sbatch: error: Batch job submission failed: "


def answer(exit_code: int, stderr: str = "", stdout: bytes = b"") -> Answer:
    return Answer(exit_code, stdout, stderr)


@pytest.mark.parametrize(
    "words",
    [
        "Invalid partition name specified",
        "Invalid account or account/partition combination specified",
        "Requested node configuration is not available",
        "Requested time limit is invalid (missing or exceeds some limit)",
        "Invalid qos specification",
        "Job dependency problem",
    ],
)
def test_what_slurm_would_always_refuse_is_refused(words: str) -> None:
    found = failure("lab", answer(REFUSED, FAILED + words))
    assert isinstance(found, ClusterRefused)
    assert words in found.detail


@pytest.mark.parametrize(
    "words",
    [
        "Unable to contact slurm controller (connect failure)",
        "Socket timed out on send/recv operation",
        "Zero Bytes were transmitted or received",
        "Slurm backup controller in standby mode",
        "Slurm temporarily unable to accept job, sleeping and retrying",
        "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        "Protocol authentication error",
        "No space left on device",
    ],
)
def test_what_passes_by_itself_is_tried_again(words: str) -> None:
    assert isinstance(failure("lab", answer(REFUSED, FAILED + words)), ClusterDown)


def test_a_script_that_cannot_go_on_says_so_in_its_own_words() -> None:
    found = failure("lab", answer(DOWN, "atoll: the Slurm controller does not answer\n"))
    assert found.detail == "lab: the Slurm controller does not answer"


def test_a_program_that_is_missing_is_told() -> None:
    assert "a program is missing" in failure("lab", answer(127, "sh: 1: flock: not found")).detail


def test_many_words_are_cut_short() -> None:
    assert len(failure("lab", answer(1, "x" * 10_000)).detail) < 700


def test_a_number_is_read_and_nothing_is_none() -> None:
    assert job_id("lab", answer(0, stdout=b"17\n")) == "17"
    assert job_id("lab", answer(0)) is None


@pytest.mark.parametrize("text", [b"hello", b"17;18", b"-1", b"1\n2"])
def test_what_is_no_number_of_a_job_is_never_taken_for_one(text: bytes) -> None:
    with pytest.raises(ClusterDown, match="no number of a job"):
        job_id("lab", answer(0, stdout=text))


def test_a_command_is_one_plain_line_for_whichever_login_shell() -> None:
    line, head = command("echo 'a'\necho b\n", "x y", "it's", 3)
    assert "\n" not in line
    assert line == f"""exec /bin/sh -c 'eval "$(head -c {len(head)})"' atoll 'x y' 'it'"'"'s' 3"""


def facts(*parts: str) -> str:
    return f"\n{MARK}\n".join(parts)


def test_a_cluster_whose_nodes_are_away_is_degraded() -> None:
    partition = "\x1f".join(("cpu", "cpu*", "up", "1/0/1/2", "2/0/2/4", "1:00:00"))
    found = read_facts(
        facts("slurm 23.02.1", partition, "2/0/2/4", "n2 down*", "  3 PENDING\n  1 RUNNING\n", "b.sif\n"),
        "apptainer",
        has_images=True,
    )
    assert (found.info.state, found.info.detail) == ("degraded", "nodes n2 down*")
    assert (found.info.pending, found.info.running, found.info.version) == (3, 1, "slurm 23.02.1")
    assert found.images == ("b",)


def test_the_load_is_the_share_of_cpus_that_are_not_idle() -> None:
    partition = "\x1f".join(("cpu", "cpu*", "up", "1/1/0/2", "1/3/0/4", "1:00:00"))
    found = read_facts(facts("slurm", partition, "1/3/0/4", "", "", ""), "none", has_images=False)
    assert (found.info.state, found.info.load, found.images) == ("up", 0.25, None)


def test_a_cluster_that_tells_nothing_is_not_up() -> None:
    assert read_facts("", "none", has_images=False).info.state == "degraded"
