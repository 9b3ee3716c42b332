"""`atoll models pull sentiment`: DistilBERT and BERT classifiers of others, checked and made ready to be served.

`pull` is what the plugin declares. Nothing here is imported to serve, and nothing that was downloaded is run.
"""

from common.plugins.pull import ModelPull, PulledModel

__all__ = ["pull"]


def pull(asked: ModelPull) -> PulledModel:
    """See `pulling.pull`, which is imported when it is used: it brings the writer of ONNX."""
    from models.sentiment.pull.pulling import pull as work

    return work(asked)
