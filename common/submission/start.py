"""The check of `clusters.toml` when Atoll starts. Imports what reads it only where there is something to read."""

import os

from common.settings import CHECKOUT, Settings


def check_clusters(settings: Settings) -> None:
    """Raise `SettingsError` for clusters that are not configured right; connects to nothing."""
    configured = settings.submission.clusters_file is not None or (CHECKOUT / "clusters.toml").exists()
    if configured or any(name.startswith("ATOLL_CLUSTER_") for name in os.environ):
        from common.submission.clusters import load

        load(settings)
