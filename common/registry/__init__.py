"""Model versions: numbered for each model, made of artefacts that never change; aliases, and shares of the requests,
that say which one serves.

`common.registry.service.Registry` is what a process holds; `common.registry.store` has the SQL, for transactions that
do more than publish; `common.registry.choose` says which version answers a request. This module, like `versions`,
imports no database.
"""

from common.registry.versions import AliasChange, Artefact, ModelEntry, Traffic, Version, split_name

__all__ = ["AliasChange", "Artefact", "ModelEntry", "Traffic", "Version", "split_name"]
