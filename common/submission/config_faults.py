"""What is wrong with a task's config, in the config's own names, to callers who know nothing of Python. Pure."""

from collections.abc import Sequence

from pydantic import ValidationError

from common.errors import FieldError, Invalid
from common.http.problems import field_errors
from common.submission.masking import is_secret_name

# More wrong fields than anybody mends at once.
_SHOWN_ERRORS = 50
# Fields whose values are never shown back.
PRIVATE = frozenset({"parameters", "environment", "command", "labels", "spark", "tracking_uri"})
# How a field of the spec is called in a config, for errors.
CALLED = {
    "cluster": "runner_location",
    "entry_point": "script_path",
    "parameters": "model_params",
    "dataset": "dataset_name",
    "time_limit_s": "time_limit",
    "memory_bytes": "memory",
    "partition": "partition (instance_type)",
    "image": "image (image_name)",
}
# What pydantic says, to callers who know nothing of Python.
_TOLD = {
    "Input should be a valid dictionary": "is an object",
    "Input should be a valid tuple": "is a list",
    "Input should be a valid string": "is a text",
    "Extra inputs are not permitted": "is no field of it",
}


def told(exc: ValidationError) -> Invalid:
    """What the spec found wrong, with a config's own names. Values of fields that may hold secrets are not shown."""
    fields: list[FieldError] = []
    places = set()
    every = exc.errors()
    for raw, item in zip(every[:_SHOWN_ERRORS], field_errors(every[:_SHOWN_ERRORS]), strict=True):
        first, _, rest = item.field.partition(".")
        message = _plainly(item.message)
        if first == "parameters" and not item.field.endswith("[key]"):
            rest = rest.partition(".")[0]
            if not isinstance(raw.get("input"), str):
                message = "is no scalar; send a text of one line, a number, true or false"
            elif "control character" not in message and "at most" not in message:
                # The other members of the union.
                continue
        if first == "tracking":
            first, rest = {"uri": "tracking_uri", "experiment": "experiment_name"}.get(rest, first), ""
        called = CALLED.get(first, first).partition(" ")[0]
        place = f"{called}.{rest}" if rest else called
        if place not in places:
            places.add(place)
            value = None if first in PRIVATE or is_secret_name(rest) else item.value
            fields.append(FieldError(field=f"config.{place.removesuffix('.[key]')}", message=message, value=value))
    return refusal(fields)


def refusal(fields: Sequence[FieldError]) -> Invalid:
    """The error that tells of all wrong fields: the first in its detail, no more than can be mended at once."""
    shown = "; ".join(f"{item.field.removeprefix('config.')}: {item.message}" for item in fields[:5])
    more = f" (and {len(fields) - 5} more)" if len(fields) > 5 else ""
    return Invalid(shown + more, errors=fields[:_SHOWN_ERRORS])


def _plainly(message: str) -> str:
    """Patterns say little to people."""
    if "should match pattern '^[A-Za-z0-9_][A-Za-z0-9_.@:/+-]" in message:
        return "is a word of letters, digits and _ . @ : / + -, and begins with a letter, digit or _"
    if "should match pattern '^[0-9]{1,6}(-" in message:
        return "is indices such as 0-9, 0-9:3 or 1,5,7, with %2 for two at once"
    if "should match pattern '^[0-9a-z]{27}$'" in message:
        return "is the id of a task, 27 letters and digits"
    if "should match pattern '^[A-Za-z_]" in message:
        return "is no name: letters, digits and _, beginning with a letter or _"
    if "should match pattern '^[A-Za-z0-9_][A-Za-z0-9_" in message:
        return "is a name of letters, digits, _ . and -, and begins with a letter, digit or _"
    for beginning, told in _TOLD.items():
        if message.startswith(beginning):
            return told
    return message
