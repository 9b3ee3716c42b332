"""Model versions: immutable, numbered from 1 for each model, made of artefacts; and aliases that say which one serves.

`common.registry.service.Registry` is what a process holds; `common.registry.store` has the SQL, for transactions that
do more than publish. This module, like `versions`, imports no database.
"""

from common.registry.versions import AliasChange, Artefact, ModelEntry, Version, split_name

__all__ = ["AliasChange", "Artefact", "ModelEntry", "Version", "split_name"]
