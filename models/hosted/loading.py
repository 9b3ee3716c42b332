"""Opens a version of the registry: its artefacts come to this machine's disk, checked, and are opened from there."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.errors import Invalid, ModelUnavailable, NotFound
from common.registry.versions import Version
from common.serving.cpu import cpu_count
from common.storage.blobs import Blobs
from models.hosted.formats import format_of
from models.hosted.formats.card import CARD, Card
from models.hosted.model import HostedModel

# A model that needs less for a row gains nothing from more threads than the one that asks.
_WORTH_THREADS_S = 0.002
_MOST_THREADS = 4


@dataclass(eq=False)
class VersionLoader:
    """
    Parameters
    ----------
    cache_bytes : of disk, for copies of all versions.
    key : of the version in the pool.
    """

    version: Version
    blobs: Blobs
    executor: ThreadPoolExecutor
    cache_bytes: int
    key: str

    def size_bytes(self) -> int:
        """What it grew by where it was checked; never less than its files."""
        return max(self.card.memory_bytes, self._artefact_bytes())

    def load(self) -> HostedModel:
        card = self.card
        threads = min(_MOST_THREADS, cpu_count()) if card.run_s > _WORTH_THREADS_S else 1
        try:
            runner = format_of(card.format).open(card, self._file, threads, self.blobs.cache_dir / "mapped")
        except Invalid as exc:
            # Whoever asks did nothing wrong.
            raise ModelUnavailable(exc.detail, retry_after_s=5) from exc
        except KeyError:
            raise ModelUnavailable(f"its format {card.format!r} is not known here; update Atoll") from None
        return HostedModel(self.version, card, runner, self.executor, self.key)

    @cached_property
    def card(self) -> Card:
        """Raises ModelUnavailable where the version is none of a hosted model."""
        try:
            return Card.read(self._file(CARD))
        except NotFound:
            raise ModelUnavailable(
                f"{self.version.ref} has no {CARD}, so it was not uploaded as a hosted model; upload its file"
            ) from None
        except (ValueError, KeyError, TypeError) as exc:
            raise ModelUnavailable(f"{CARD} of {self.version.ref} cannot be read: {exc!r}"[:300]) from None

    def _file(self, artefact: str) -> Path:
        return self.blobs.copy(self.version.artefact(artefact).ref, self.cache_bytes)

    def _artefact_bytes(self) -> int:
        sizes: Mapping[str, int] = {artefact.name: artefact.size_bytes for artefact in self.version.artefacts}
        return sum(sizes.get(name, 0) for name in {self.card.main, *self.card.files.values()})
