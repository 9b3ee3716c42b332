"""What a remote command's exit code and words mean. Pure."""

import re

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.slurm.ssh.connection import Answer
from common.submission.runners.slurm.ssh.remote import DOWN, REFUSED

# Words of Slurm (slurm_errno.c) for what passes by itself, or leaves unknown what became of it.
_PASSES = re.compile(
    r"unable to contact slurm|connection refused|connect failure|socket timed out|zero bytes were transmitted"
    r"|communication connection|send/recv|standby mode|temporarily unable|resource temporarily|is down|try again"
    r"|maxsubmit|max_submit|job submit limit|maxjobs|slurmdbd|database|in the process of|no space left|disk quota"
    r"|munge|protocol authentication|authentication failure|not responding|connection timed out",
    re.IGNORECASE,
)
_SHOWN = 500
_JOB_ID = re.compile(r"[1-9]\d*")


def words_of(stderr: str) -> str:
    """The last lines of what was said, as one."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return "; ".join(lines[-3:]).removeprefix("atoll: ")[:_SHOWN] or "without a word"


def failure(where: str, answer: Answer) -> ClusterDown | ClusterRefused:
    """The error for a command that did not end well."""
    words = words_of(answer.stderr)
    if answer.exit_code == REFUSED and not _PASSES.search(answer.stderr):
        return ClusterRefused(f"{where}: {words}")
    if answer.exit_code in (REFUSED, DOWN):
        return ClusterDown(f"{where}: {words}")
    if answer.exit_code in (126, 127):
        return ClusterDown(f"{where}: a program is missing on the login node: {words}")
    return ClusterDown(f"{where}: a command ended with exit code {answer.exit_code}: {words}")


def job_id(where: str, answer: Answer) -> str | None:
    """The number of a job that a command printed; None where it printed nothing."""
    if answer.exit_code != 0:
        raise failure(where, answer)
    text = answer.stdout.decode(errors="replace").strip()
    if not text:
        return None
    if not _JOB_ID.fullmatch(text):
        raise ClusterDown(f"{where}: no number of a job, but {text[:80]!r}")
    return text
