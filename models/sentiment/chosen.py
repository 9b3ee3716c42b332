"""Which model answers: the version that the registry serves, else the one baked into the image, else the one in the
box."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from common.errors import ModelUnavailable
from common.registry.held import Held
from models.sentiment.classifier import BOX, CARD, FILES, MODEL, BrokenModel, Classifier

# Written when an image is built, by `atoll models pull sentiment --into`; a checkout has none.
BAKED = Path(__file__).parent / "baked"


@dataclass(frozen=True, eq=False)
class Served:
    """A model that answers.

    Attributes
    ----------
    name : number of the version in the registry, or `baked` or `box`.
    digest : of its files: equal for equal answers.
    """

    name: str
    digest: str
    classifier: Classifier


class _Chosen:
    """What serves in this process; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: Served | None = None

    def now(self) -> Served:
        """What serves. Never waits, but for the first time in a process without a host.

        Raises
        ------
        ModelUnavailable
            Its files are missing or broken.
        """
        found = self._served
        if found is None:
            with self._lock:
                if self._served is None:
                    self._served = _own(None)
                found = self._served
        return found

    def take(self, held: Held) -> None:
        """Let another version serve, once it is open.

        Raises
        ------
        ModelUnavailable
            It cannot be opened; what served before goes on.
        """
        opened = _own(held.cache) if held.number is None else _published(held)
        with self._lock:
            self._served = opened


_CHOSEN = _Chosen()
served_now, serve_version = _CHOSEN.now, _CHOSEN.take


def _published(held: Held) -> Served:
    missing = [name for name in FILES if name not in held.artefacts]
    if missing:
        raise ModelUnavailable(f"version {held.number} of sentiment has no {', '.join(missing)}")
    files = {name: held.path(name) for name in FILES}
    digest = sha256("".join(held.artefacts[name] for name in FILES).encode()).hexdigest()[:16]
    return Served(str(held.number), digest, _opened(files, held.cache, f"version {held.number}"))


def _own(cache: Path | None) -> Served:
    folder = BAKED if (BAKED / CARD).exists() else BOX
    files = {name: folder / name for name in FILES}
    opened = _opened(files, cache, folder.name)
    # The card of a large model names the digest of its weights, which take as long to read as all the rest.
    known = {MODEL: opened.card.get("model_sha256")}
    digests = [known.get(name) or sha256(file.read_bytes()).hexdigest() for name, file in files.items()]
    return Served(folder.name, sha256("".join(digests).encode()).hexdigest()[:16], opened)


def _opened(files: Mapping[str, Path], cache: Path | None, where: str) -> Classifier:
    try:
        return Classifier.of_files(files, cache=cache, where=where)
    except BrokenModel as exc:
        raise ModelUnavailable(str(exc)) from exc
