"""The inference runtime: a bounded pool for CPU work, results kept by content, equal requests computed once.

A plugin's route calls `answer` and gets all three. One that predicts items (texts, rows) declares
`predict_batch` and calls `answer_items`: each item is looked up and kept for itself, and what has to be computed is run
in common batches.

What reads models in a process of its own needs `common.serving.tensors` and no web framework, which comes with the
first use of what is exported here (PEP 562).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.serving.answering import answer, answer_items
    from common.serving.answers import Answers

__all__ = ["Answers", "answer", "answer_items"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from common.serving import answering

    return getattr(answering, name)
