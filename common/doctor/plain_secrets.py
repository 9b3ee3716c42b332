"""Secrets in plain text in files of the checkout. Pure, but for the reading."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.doctor.finding import Finding
from common.settings.secrets import is_key_vault_reference, secrets_of

LOCAL_SETTINGS = "local.settings.json"
# Folders with variables for deployments; the rest of the tree is code, which reviews and scanners look at.
_FOLDERS = ("", "deployment", "terraform")
_PATTERNS = (LOCAL_SETTINGS, ".env", ".env.*", "*.env", "*.tfvars", "*.tfvars.json")
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*=\s*(.*?)\s*$")
# Azurite's account, which is the same for everybody.
_EVERYBODYS = "AccountName=devstoreaccount1;"
# A file as large as this is no list of variables.
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Held:
    """A file with secrets.

    Parameters
    ----------
    path : relative to the checkout.
    names : of the variables that hold one, never what they hold.
    """

    path: str
    names: tuple[str, ...]


def variables_of(name: str, text: str) -> dict[str, str]:
    """The variables in a file: `Values` of local.settings.json, lines `NAME=value` of the others."""
    if name.endswith(".json"):
        try:
            content = json.loads(text)
        except ValueError:
            return {}
        values = content.get("Values", content) if isinstance(content, Mapping) else {}
        if not isinstance(values, Mapping):
            return {}
        return {key: value for key, value in values.items() if isinstance(value, str)}
    found = (_ASSIGNED.match(line) for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {match[1]: match[2].strip("'\"") for match in found if match}


def secret_names(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Which variables hold a secret itself, not a reference to one."""
    held = (
        name
        for name, value in variables.items()
        if not is_key_vault_reference(value)
        and not name.upper().endswith("_FILE")
        and _EVERYBODYS not in f"{value};"
        and secrets_of({name: value})
    )
    return tuple(sorted(held))


def find_held(root: Path) -> list[Held]:
    """Files of the checkout that hold secrets."""
    paths = {
        path
        for folder in _FOLDERS
        for pattern in _PATTERNS
        for path in (root / folder).glob(pattern)
        if path.is_file() and path.stat().st_size <= _MOST_BYTES
    }
    found = []
    for path in sorted(paths):
        try:
            names = secret_names(variables_of(path.name, path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
        if names:
            found.append(Held(path.relative_to(root).as_posix(), names))
    return found


def judge(held: Held, *, in_git: bool | None, is_ignored: bool, is_deployed: bool) -> Finding:
    """What to say of a file with secrets.

    Parameters
    ----------
    in_git : whether git tracks it; None where this is no git checkout.
    is_ignored : whether git would leave it out.
    is_deployed : whether a deployment takes it along.
    """
    what = f"{held.path} holds {', '.join(held.names)} in plain text"
    instead = "use a Key Vault reference, or NAME_FILE with the path of a file outside the checkout"
    if in_git:
        why = "git has it, and so does everybody who has the repository, in its history too"
        return Finding("secrets", "error", what, why, f"make new secrets, git rm --cached {held.path}, and {instead}")
    if is_deployed:
        why = "a deployment takes it along"
        return Finding("secrets", "error", what, why, f"add /{held.path} to .funcignore, and {instead}")
    if in_git is False and not is_ignored:
        why = "git does not ignore it: the next `git add .` takes it along"
        return Finding("secrets", "error", what, why, f"add /{held.path} to .gitignore, and {instead}")
    why = "whoever reads this disk, or a backup of it, has them"
    return Finding("secrets", "warning", what, why, f"on a shared machine {instead}")


def check_held(held: list[Held], state: Mapping[str, tuple[bool | None, bool, bool]]) -> Iterator[Finding]:
    """`state` says of each path: in git, ignored by git, deployed."""
    for item in held:
        in_git, is_ignored, is_deployed = state[item.path]
        yield judge(item, in_git=in_git, is_ignored=is_ignored, is_deployed=is_deployed)
    if not held:
        yield Finding("secrets", "ok", "no file with variables holds a secret in plain text")
