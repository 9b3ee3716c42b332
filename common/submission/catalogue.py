"""The configured clusters and their runners, each made on first use and kept, with its connections."""

import contextlib
import threading
from collections.abc import Iterable, Mapping

from common.errors import Invalid
from common.settings import Settings
from common.submission.clusters import load
from common.submission.config import ClusterConfig
from common.submission.kinds import KINDS
from common.submission.runners.base import Runner


class Catalogue:
    """The clusters of a process. May be used by any thread.

    Parameters
    ----------
    configs : by name.
    runners : those that are there already, as tests bring them.
    """

    def __init__(self, configs: Mapping[str, ClusterConfig], runners: Iterable[Runner] = ()) -> None:
        self._runners: dict[str, Runner] = {runner.config.name: runner for runner in runners}
        self._configs = {**configs, **{name: runner.config for name, runner in self._runners.items()}}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> "Catalogue":
        """As configured. Raises `SettingsError` that tells all that is wrong; connects to nothing."""
        return cls(load(settings))

    @property
    def names(self) -> list[str]:
        return sorted(self._configs)

    def __contains__(self, name: str) -> bool:
        return name in self._configs

    def config(self, name: str) -> ClusterConfig:
        """Raises `Invalid` for an unknown cluster, as `get` does."""
        found = self._configs.get(name)
        if found is None:
            known = ", ".join(self.names) or "none"
            raise Invalid.field("cluster", f"there is no such cluster here; those configured are: {known}", name)
        return found

    def get(self, name: str) -> Runner:
        """The runner of a cluster.

        Raises
        ------
        Invalid
            There is no such cluster; names those that are.
        ExtraMissing
            It needs a package that is not installed; says which.
        """
        config = self.config(name)
        with self._lock:
            if name not in self._runners:
                self._runners[name] = KINDS[config.kind].runner_class()(config)
            return self._runners[name]

    def close(self) -> None:
        """Let go of all connections. A runner that is asked for later is made anew."""
        with self._lock:
            runners, self._runners = list(self._runners.values()), {}
        for runner in runners:
            with contextlib.suppress(Exception):
                runner.close()
