"""All checks, in the order in which they are told."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.doctor.finding import Finding
from common.doctor.host_file import check_host
from common.doctor.interpreter import check_packages, check_python, names, pins
from common.doctor.package import check_size, files_bytes, ignored, packages_bytes
from common.doctor.plain_secrets import check_held, find_held
from common.doctor.plans import Plan, has_instances
from common.doctor.process import check_import, check_models
from common.doctor.reach import check_database, check_own_disk, check_queues, check_redis, check_share
from common.doctor.variables import check_open, check_variables
from common.errors import SettingsError
from common.settings import Settings

# Loading the largest data set for the first time takes some seconds; a machine under load several times that.
_PROCESS_S = 120.0
_OF_A_CHECKOUT = (".git", "tests")


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Parameters
    ----------
    root : the checkout, or the folder of a deployment.
    environment : the variables that a server would be started with.
    plan : of Azure Functions, whose limits count.
    timeout_s : for each thing that is asked over the network.
    """

    root: Path
    environment: Mapping[str, str]
    plan: Plan
    timeout_s: float = 5.0


Check = Callable[[Subject], Iterator[Finding]]
WithSettings = Callable[[Subject, Settings], Iterator[Finding]]


def _python(subject: Subject) -> Iterator[Finding]:
    yield from check_python(sys.version_info[:2])
    requirements = subject.root / "requirements.txt"
    if requirements.is_file():
        yield from check_packages(pins(requirements.read_text(encoding="utf-8")))


def _host(subject: Subject) -> Iterator[Finding]:
    why, todo = "the Functions host does not start without it", "take host.json of the repository"
    try:
        host = json.loads((subject.root / "host.json").read_text(encoding="utf-8"))
    except OSError as exc:
        # An image without the Functions host needs none.
        level = "warning" if subject.plan.name == "container" else "error"
        yield Finding("host", "warning" if level == "warning" else "error", f"host.json: {exc.strerror}", why, todo)
        return
    except ValueError as exc:
        yield Finding("host", "error", f"host.json is no JSON: {exc}", why, todo)
        return
    if not isinstance(host, dict):
        yield Finding("host", "error", "host.json is no JSON object", why, todo)
        return
    yield from check_host(host, subject.plan)


def _package(subject: Subject) -> Iterator[Finding]:
    rules = subject.root / ".funcignore"
    stays = ignored(rules.read_text(encoding="utf-8").splitlines() if rules.is_file() else ())
    requirements = subject.root / "requirements.txt"
    packages = names(requirements.read_text(encoding="utf-8")) if requirements.is_file() else []
    # What is deployed already came without it.
    if not rules.is_file() and any((subject.root / name).exists() for name in _OF_A_CHECKOUT):
        todo = "take .funcignore of the repository"
        yield Finding("package", "warning", ".funcignore is missing", "tests, state and secrets are deployed too", todo)
    yield from check_size(files_bytes(subject.root, stays), packages_bytes(packages), subject.plan)


def _secrets(subject: Subject) -> Iterator[Finding]:
    held = find_held(subject.root)
    rules = subject.root / ".funcignore"
    stays = ignored(rules.read_text(encoding="utf-8").splitlines() if rules.is_file() else ())
    state = {item.path: (*_in_git(subject.root, item.path), not stays(item.path)) for item in held}
    yield from check_held(held, state)


def _in_git(root: Path, path: str) -> tuple[bool | None, bool]:
    """Whether git tracks a file (None: no git, or no checkout), and whether it would leave it out."""
    git = shutil.which("git")
    if git is None:
        return None, False

    def ends_with(*arguments: str) -> int:
        command = [git, "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode  # noqa: S603 - git itself

    if ends_with("rev-parse", "--is-inside-work-tree") != 0:
        return None, False
    return ends_with("ls-files", "--error-unmatch", path) == 0, ends_with("check-ignore", "-q", path) == 0


def _settings(subject: Subject, settings: Settings) -> Iterator[Finding]:
    yield from check_variables(settings, subject.environment)
    yield from check_open(settings)


def _database(subject: Subject, settings: Settings) -> Iterator[Finding]:
    yield from check_database(settings, subject.timeout_s)
    yield from _own_disk(subject, settings, "database")


def _share(subject: Subject, settings: Settings) -> Iterator[Finding]:
    yield from check_share(settings, subject.timeout_s)
    yield from _own_disk(subject, settings, "share")


def _own_disk(subject: Subject, settings: Settings, check: str) -> Iterator[Finding]:
    if has_instances(subject.environment):
        yield from (finding for finding in check_own_disk(settings) if finding.check == check)


def _import(subject: Subject, settings: Settings) -> Iterator[Finding]:
    yield from check_import(settings, subject.environment, _PROCESS_S)


def _models(subject: Subject, settings: Settings) -> Iterator[Finding]:
    yield from check_models(settings, subject.environment, _PROCESS_S)


_ALONE: Mapping[str, Check] = {"python": _python, "host": _host, "package": _package, "secrets": _secrets}
_CONFIGURED: Mapping[str, WithSettings] = {
    "settings": _settings,
    "database": _database,
    "storage": lambda subject, settings: check_queues(settings, subject.timeout_s),
    "share": _share,
    "redis": lambda subject, settings: check_redis(settings, subject.timeout_s),
    "import": _import,
    "models": _models,
}
CHECKS: tuple[str, ...] = (*_ALONE, *_CONFIGURED)


def examine(subject: Subject, load: Callable[[], Settings], only: Sequence[str] = ()) -> Iterator[Finding]:
    """The findings of all checks, or of those named, one after the other.

    `load` reads the settings; where they cannot be used, that is the finding, and what needs them is left out.
    """
    wanted = set(only or CHECKS)
    for name, check in _ALONE.items():
        if name in wanted:
            yield from check(subject)
    if not wanted & _CONFIGURED.keys():
        return
    try:
        settings = load()
    except SettingsError as exc:
        yield Finding(
            "settings", "error", exc.detail, "nothing starts", "mend the variable; docs/settings.md lists all"
        )
        return
    for name, configured in _CONFIGURED.items():
        if name in wanted:
            yield from configured(subject, settings)
