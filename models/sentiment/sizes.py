"""The sizes of the model in the box."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Sizes:
    """Of an encoder (`architecture.Encoder`).

    Parameters
    ----------
    pieces : in the vocabulary.
    embedding : numbers that a piece is looked up as; they are projected to `hidden` ones.
    hidden : numbers a token is in the layers.
    inner : numbers it is between the two halves of a layer's second part.
    heads : of the attention; they divide `hidden`.
    positions : most tokens of a text, start and end included.
    """

    pieces: int = 16_000
    embedding: int = 128
    hidden: int = 384
    inner: int = 1536
    layers: int = 3
    heads: int = 12
    positions: int = 512

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads do not divide {self.hidden}")

    def as_json(self) -> dict[str, int]:
        return asdict(self)
