"""Secrets that users put into their tasks: hidden in every view, list, log, preview and error. Pure.

What a parameter or variable is called tells whether its value is a secret. The value is then hidden wherever it stands.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from common.settings.secrets import secret_values, secrets_of
from common.submission.spec import TaskSpec
from common.telemetry.masking import HIDDEN, mask, spellings

# Shorter values stand in too many innocent texts; by their own name they are hidden all the same.
_SECRET_CHARS = 4
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPLIT = re.compile(r"[^a-z0-9]+")
_WORDS = frozenset(
    {
        "apikey", "auth", "authorization", "bearer", "cred", "credential", "credentials", "creds", "jwt", "key", "keys",
        "pass", "passphrase", "passwd", "password", "passwords", "pat", "pin", "private", "psw", "pw", "pwd", "sas",
        "secret", "secrets", "sig", "signature", "token",
    }
)  # fmt: skip
_WITHIN = re.compile(r"secret|passw|passphrase|apikey|accesskey|privatekey|credential|token(?![si])|connectionstring")
_OPTION = re.compile(r"--?([A-Za-z][A-Za-z0-9_.-]*)(?:=(.*))?", re.DOTALL)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether what is called so is a secret: `db_password`, `apiKey`, `HF_TOKEN`, but not `max_tokens`."""
    words = set(_SPLIT.split(_CAMEL.sub("_", name).lower()))
    joined = re.sub(r"[^a-z0-9]", "", name.lower())
    return bool(words & _WORDS or _WITHIN.search(joined))


def secrets_in(spec: TaskSpec) -> tuple[str, ...]:
    """The secrets of a task, the longest first."""
    found: set[str] = set()
    for values in _named(spec):
        for name, value in values.items():
            if is_secret_name(name) and not isinstance(value, bool):
                found.add(str(value))
    found |= secrets_of({name: value for name, value in spec.environment.items() if "FILE" not in name.upper()})
    lines = [*(spec.command or ()), *(spec.spark.arguments if spec.spark else ())]
    found.update(_after_options(lines))
    lines += [value for values in _named(spec) for value in values.values() if isinstance(value, str)]
    lines += [spec.tracking.uri] if spec.tracking else []
    # Passwords within addresses.
    found |= secrets_of({f"{number}_URL": line for number, line in enumerate(lines) if "://" in line})
    return tuple(sorted((text for text in found if len(text) >= _SECRET_CHARS), key=len, reverse=True))


def masked_spec(spec: TaskSpec) -> TaskSpec:
    """The task without its secrets: what is shown, and what previews are made of."""
    secrets = secrets_in(spec)

    def text(value: Any) -> Any:
        return mask_text(value, secrets) if isinstance(value, str) else value

    def named(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: HIDDEN if is_secret_name(name) and not isinstance(value, bool) else text(value)
            for name, value in values.items()
        }

    def words(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(_hidden_options([text(value) for value in values]))

    changes: dict[str, Any] = {
        "parameters": named(spec.parameters),
        "environment": named(spec.environment),
        "labels": named(spec.labels),
        "command": None if spec.command is None else words(spec.command),
    }
    if spec.tracking is not None:
        shown = {"uri": text(spec.tracking.uri), "experiment": text(spec.tracking.experiment)}
        changes["tracking"] = spec.tracking.model_copy(update=shown)
    if spec.spark is not None:
        more = {
            "conf": named(spec.spark.conf),
            "listener": named(spec.spark.listener),
            "arguments": words(spec.spark.arguments),
        }
        changes["spark"] = spec.spark.model_copy(update=more)
    return spec.model_copy(update=changes)


def mask_text(text: str, secrets: Sequence[str]) -> str:
    """`text` without the secrets of a task and of this process, and without what has the form of one."""
    for secret in spellings(secrets) if secrets else ():
        text = text.replace(secret, HIDDEN)
    return mask(text)


def secret_bytes(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """What to hide in a log: the secrets of a task and of this process, as they stand there."""
    every = {text.encode("utf-8", "replace") for text in (*spellings(secrets), *spellings(secret_values()))}
    return tuple(sorted((item for item in every if len(item) >= _SECRET_CHARS), key=len, reverse=True))


def mask_bytes(content: bytes, secrets: Sequence[bytes]) -> bytes:
    """`content` with asterisks over the secrets: as long as before, so that offsets stay what they are."""
    for secret in secrets:
        if secret in content:
            content = content.replace(secret, b"*" * len(secret))
    return content


def _named(spec: TaskSpec) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [spec.parameters, spec.environment, spec.labels]
    return [*found, spec.spark.conf, spec.spark.listener] if spec.spark else found


def _after_options(words: Sequence[str]) -> list[str]:
    """Values of `--token=x` and `--token x`."""
    found = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        option = _OPTION.fullmatch(word)
        if option and is_secret_name(option[1]):
            found.append(following if option[2] is None else option[2])
    return found


def _hidden_options(words: Sequence[str]) -> list[str]:
    """The same with values too short to be looked for elsewhere."""
    shown = []
    hide_next = False
    for word in words:
        option = _OPTION.fullmatch(word)
        is_secret = option is not None and is_secret_name(option[1])
        if hide_next and option is None:
            shown.append(HIDDEN)
        elif is_secret and option is not None and option[2] is not None:
            shown.append(f"{word.partition('=')[0]}={HIDDEN}")
        else:
            shown.append(word)
        hide_next = is_secret and option is not None and option[2] is None
    return shown
