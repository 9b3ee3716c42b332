"""Once an hour, in one process of all: kept rows that are too many or too old go, and what is left is compared."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.clock import Clock, SystemClock
from common.errors import AtollError
from common.registry.drift import choice, service
from common.registry.drift.files import Samples
from common.registry.drift.snapshot import SNAPSHOT
from common.settings import RegistrySettings
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from common.registry.service import Registry

log = get_logger("atoll.registry")


class SampleChore:
    """One a process.

    Parameters
    ----------
    registry : called on the thread of the chore.
    """

    def __init__(
        self, registry: "Callable[[], Registry]", settings: RegistrySettings, clock: Clock | None = None
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._clock = clock or SystemClock()
        self._thread: threading.Thread | None = None

    def begin(self) -> int:
        """Begin on a thread: a share takes its time. A chore of the scheduler: 0, as it removed nothing yet."""
        if self._thread is None or not self._thread.is_alive():
            # A daemon: a share that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="samples-chore", daemon=True)
            self._thread.start()
        return 0

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for what has begun, if something has."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def tidy(self) -> int:
        """Remove rows that are too many, too old, or of models and versions that are gone; how many files.

        Raises
        ------
        ShareDown
        """
        registry = self._registry()
        wanted = {model: how.max_rows for model, how in registry.database.read(choice.read_all).items()}
        numbers: dict[str, set[int]] = {}

        def exists(model: str, number: int) -> bool:
            if model not in numbers:
                numbers[model] = _numbers(registry, model)
            return number in numbers[model]

        return Samples(registry.blobs.share).tidy(
            wanted,
            exists,
            now=self._clock.now(),
            days=self._settings.sample_days,
            max_bytes=self._settings.sample_bytes,
        )

    def compare(self) -> int:
        """Compare what is kept of versions that an alias points to with their snapshots; how many there were."""
        registry, count = self._registry(), 0
        for model in registry.database.read(choice.read_all):
            try:
                for number in sorted(set(registry.get_model(model).aliases.values())):
                    if any(artefact.name == SNAPSHOT for artefact in registry.get(model, number).artefacts):
                        service.drift(registry, model, number)
                        count += 1
            except AtollError as exc:
                # Too few rows yet, or gone meanwhile.
                log.debug("a model is not compared", model=model, reason=str(exc)[:300])
        return count

    def _run(self) -> None:
        try:
            gone = self.tidy()
            if gone:
                log.info("kept rows removed", files=gone)
            self.compare()
        except Exception as exc:  # noqa: BLE001 - whatever share or database say, the next hour may do
            log.warning("kept rows are not looked after", error=f"{type(exc).__name__}: {exc}"[:300])


def _numbers(registry: "Registry", model: str) -> set[int]:
    found: set[int] = set()
    before: int | None = None
    while page := registry.list_versions(model, before=before, limit=1000):
        found |= {version.number for version in page}
        before = page[-1].number
    return found
