"""The mixture of the old load test, which sends the same three sentences in 95 of 100 requests."""

import random
from collections.abc import Iterator

SAME = ["I love you!", "I hate you!", "I am a Kubernetes Cluster!"]
# 103 tokens with those of start and end, by BERT's vocabulary.
SHUFFLED = [
    "I ran to the store in the morning",
    "The store was out of milk and bread",
    "My friend called me on the way home again",
    "We talked about the weather for a little while",
    "It rained all day yesterday and today",
    "The film was better than I had expected",
    "Nobody in the theatre was laughing at all",
    "Dinner was cold, late and far too salty",
    "The waiter was very kind about it all",
    "I would go there again with my friends soon",
]
RATE = 0.95
_FILE = 20_000


def requests(seed: int, count: int = _FILE) -> list[list[str]]:
    """Each is the same three sentences, or (in 5 of 100) the ten others in random order."""
    return [request for request, _ in zip(_endless(random.Random(seed)), range(count), strict=False)]


def _endless(chance: random.Random) -> Iterator[list[str]]:
    while True:
        yield SAME if chance.random() < RATE else chance.sample(SHUFFLED, len(SHUFFLED))
