"""The models of a checkout, as far as manifests ask: the paths that they answer under, and who can run their jobs."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.plugins.discovery import discover
from common.settings import PluginSettings


@dataclass(frozen=True)
class Model:
    """A plugin.

    Parameters
    ----------
    paths : its own prefix and its old ones, without those that differ by doubled slashes only: an ingress merges these.
    worker : the class of workers that can run its jobs, `cpu` or `train`.
    """

    name: str
    paths: tuple[str, ...]
    worker: str = "cpu"
    is_trained: bool = False


def find_models() -> Mapping[str, Model]:
    """All plugins of the checkout by name, whatever `SERVICE_MODEL` says here.

    Raises
    ------
    RuntimeError
        A plugin cannot be imported: what it serves is not known then, and nobody would find it.
    """
    records = discover(PluginSettings(service_model=()))
    broken = [f"{record.name}: {record.reason}" for record in records if record.router is None]
    if broken:
        raise RuntimeError(f"plugins cannot be imported: {'; '.join(broken)}")
    found = {}
    for record in records:
        own = record.prefix or (record.router.prefix if record.router else "")
        paths = dict.fromkeys("/" + path.strip("/") for path in (own, *(old.path for old in record.plugin.prefixes)))
        train = record.plugin.train is not None
        found[record.name] = Model(record.name, tuple(paths), record.plugin.worker, train)
    return found
