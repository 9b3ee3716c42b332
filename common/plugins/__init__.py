"""The plugin contract: what a package under `models/` may declare, how it is found, checked, loaded and mounted.

A plugin's module needs `Plugin`, `BaseDefinition` and `param` from here and nothing else of the framework.
"""

from common.plugins.contract import Dataset, OldPrefix, Plugin, is_served
from common.plugins.definition import BaseDefinition, Whole, param
from common.plugins.fingerprint import code_version
from common.plugins.pull import ModelPull, Pull, PulledModel
from common.serving.batcher import Batching
from common.serving.items import Kept

__all__ = [
    "BaseDefinition",
    "Batching",
    "Dataset",
    "Kept",
    "ModelPull",
    "OldPrefix",
    "Plugin",
    "Pull",
    "PulledModel",
    "Whole",
    "code_version",
    "is_served",
    "param",
]
