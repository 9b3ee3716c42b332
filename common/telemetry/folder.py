"""The folder in which the processes of one host keep their metrics together.

Apart from `metrics`, which must not be imported before the folder's name is in the environment.
"""

from pathlib import Path

from common.orphans import make_folder


def make_metrics_folder() -> Path:
    """A new folder, named after this process; those of processes that were killed and could not tidy up are removed."""
    return make_folder("atoll-metrics-")
