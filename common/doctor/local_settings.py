"""`local.settings.json`, from which the Core Tools take variables. Pure.

Reference: https://learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file
"""

import json


class Unusable(ValueError):
    """The file is not what the Core Tools read; the text says why and what to write."""


def values_of(text: str) -> dict[str, str]:
    """The variables of the file.

    Raises
    ------
    Unusable
        It is no JSON, its values are encrypted, or one of them is no text.
    """
    try:
        content = json.loads(text)
    except ValueError as exc:
        raise Unusable(f"no JSON: {exc}") from None
    values = content.get("Values") if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise Unusable('there is no "Values" with the variables; begin with local.settings.example.json')
    if content.get("IsEncrypted", False) is not False:
        raise Unusable("the values are encrypted; `func settings decrypt` makes them readable")
    wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
    if wrong:
        raise Unusable(f'{", ".join(wrong)}: variables are texts; write "3" for 3')
    return values
