"""Clustering of rows with gaps, numbers and categories alike: what `countries` and `survey` share.

Nothing is filled in: a row is compared with a cluster by what was observed of it. Not a plugin.
"""

from models._clustering.choice import Choice, choose
from models._clustering.prototypes import Clusters, fit, refine
from models._clustering.rows import Rows, balance, standardise
from models._clustering.silhouette import distances, silhouette

__all__ = ["Choice", "Clusters", "Rows", "balance", "choose", "distances", "fit", "refine", "silhouette", "standardise"]
