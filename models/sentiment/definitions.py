"""What is asked of the sentiment model, and what it answers."""

import enum
from typing import Literal

from pydantic import BaseModel, Field

from common.errors import TooLarge
from common.plugins import BaseDefinition, param
from common.settings import ServingSettings


class Truncated(enum.StrEnum):
    """What becomes of a text that is longer than the model can read at once."""

    window = "Read in overlapping windows, whose scores are averaged"
    truncate = "Cut to what the model can read"
    error = "Refused"


class Texts(BaseDefinition):
    """English texts."""

    text: list[str] = param(title="Texts", description="Each is answered for itself.", example=["I love this"])
    truncated: Truncated = param(
        Truncated.window, title="Long texts", description="What becomes of a text beyond the model's length."
    )


class Score(BaseModel):
    """A class, and how sure the model is of it."""

    label: Literal["POSITIVE", "NEGATIVE"]
    score: float = Field(description="0 to 1; those of both classes add up to 1.")


class Weight(BaseModel):
    """A word, and by how much it moves its text."""

    token: str
    weight: float = Field(description="Log odds of POSITIVE with the word, less those without it.")


class Answer(BaseModel):
    """In the order of the texts."""

    predictions: list[list[Score]] = Field(description="Both classes of each text, the likelier first.")
    explanations: list[list[Weight]] | None = Field(None, description="With `explain`: the words of each text.")


class Health(BaseModel):
    """It answers."""

    status: Literal["healthy"]


def check_sizes(texts: list[str], settings: ServingSettings) -> None:
    """Raise `TooLarge` for a text that is too long to be taken at all, naming it."""
    for place, text in enumerate(texts):
        if len(text) > settings.max_text_chars:
            raise TooLarge(
                f"text[{place}] has {len(text)} characters; send at most {settings.max_text_chars}, or parts of it"
            )
