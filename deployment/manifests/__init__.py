"""Kubernetes manifests of Atoll's services, written from a short list of them (`services.yaml`).

`spec` reads and checks the list, `pods` and `workloads` build the objects, `routes` says which paths lead where, and
`tree` turns a list into files. `deployment/service_gen.py` is the command.
"""

from deployment.manifests.models import Model, find_models
from deployment.manifests.spec import Service, SpecError, Volume
from deployment.manifests.tree import Root

__all__ = ["Model", "Root", "Service", "SpecError", "Volume", "find_models"]
