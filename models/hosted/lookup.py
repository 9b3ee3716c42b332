"""What is told of hosted models: which there are, their versions, what a version takes and where it comes from. All
functions block.
"""

import contextlib
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

import orjson

from common.errors import Conflict, NotFound
from common.registry.versions import DEFAULT_ALIAS, ModelEntry, Version
from common.storage.share import CHUNK_BYTES
from models.hosted.definitions import (
    FILE_TAG,
    PREFIX,
    HostedModel,
    Information,
    Reference,
    Uploaded,
    described,
    tensors,
)
from models.hosted.formats.card import CARD, Card

if TYPE_CHECKING:
    from common.registry.service import Registry

# Cards are small, and never change.
_CARDS = 512


def uploaded(registry: "Registry", tag: str, number: int) -> Uploaded:
    """What is told of a version that was accepted.

    Raises
    ------
    NotFound
    """
    version = find(registry, Reference(tag, number))
    card = card_of(registry, version)
    artefact = version.artefact(card.original)
    aliases = registry.get_model(version.model).aliases
    return Uploaded(
        tag=tag,
        version=number,
        ref=f"{tag}:{number}",
        format=card.format,
        library=version.library,
        library_version=version.library_version,
        inputs=tensors(version.signature, "inputs"),
        outputs=tensors(version.signature, "outputs"),
        size_bytes=artefact.size_bytes,
        sha256=artefact.sha256,
        aliases=sorted(name for name, pointed in aliases.items() if pointed == number),
        notes=list(card.notes),
    )


def list_models(registry: "Registry") -> list[HostedModel]:
    return [told(registry, entry) for entry in registry.list_models() if entry.model.startswith(PREFIX)]


def find(registry: "Registry", reference: Reference) -> Version:
    """The version that a reference names: the default where it names the tag alone.

    Raises
    ------
    NotFound
        The detail names what there is.
    """
    entry = entry_of(registry, reference.tag)
    which = DEFAULT_ALIAS if reference.which is None else reference.which
    if which == DEFAULT_ALIAS and DEFAULT_ALIAS not in entry.aliases:
        raise NotFound(f"{reference.tag} has no default version; point one out with POST …/{reference.tag}/default")
    try:
        return registry.find(reference.model, which)
    except NotFound as exc:
        raise NotFound(exc.detail.replace(reference.model, reference.tag)) from None


def information(registry: "Registry", reference: Reference, open_refs: Container[str] = ()) -> Information:
    """
    Parameters
    ----------
    open_refs : of the versions that are open, `hosted.<tag>:<number>`.

    Raises
    ------
    NotFound
    """
    entry = entry_of(registry, reference.tag)
    version = find(registry, reference)
    card = card_of(registry, version)
    versions = registry.list_versions(reference.model)
    return Information(
        **described(version, card, entry.aliases, open_refs).model_dump()
        | {"description": version.description or entry.description},
        tag=reference.tag,
        producer=card.producer,
        inputs=tensors(version.signature, "inputs"),
        outputs=tensors(version.signature, "outputs"),
        labels=list(card.labels),
        notes=list(card.notes),
        default_version=entry.aliases.get(DEFAULT_ALIAS),
        versions=[described(item, card_of(registry, item), entry.aliases, open_refs) for item in versions],
    )


def informations(registry: "Registry") -> list[Information]:
    """Of each tag, as its default version tells; where it has none, as the newest."""
    found = []
    for entry in registry.list_models():
        if entry.model.startswith(PREFIX):
            which = None if DEFAULT_ALIAS in entry.aliases else entry.latest
            # One that goes away meanwhile is not there any more.
            with contextlib.suppress(NotFound):
                found.append(information(registry, Reference(entry.model.removeprefix(PREFIX), which)))
    return found


def original(registry: "Registry", version: Version) -> tuple[str, int, str, Iterator[bytes]]:
    """Name, size and digest of the file that was uploaded, and its content, which was checked before the first part.

    Raises
    ------
    NotFound, CorruptBlob, ShareDown
    """
    artefact = version.artefact(card_of(registry, version).original)
    file = registry.open(version, artefact.name)

    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    name = version.tags.get(FILE_TAG, artefact.name)
    return name, artefact.size_bytes, artefact.sha256, chunks()


def card_of(registry: "Registry", version: Version) -> Card:
    """What the check found out about a version.

    Raises
    ------
    NotFound, CorruptBlob, ShareDown
    Conflict
        Something else than an upload published it.
    """
    artefact = next((item for item in version.artefacts if item.name == CARD), None)
    if artefact is None:
        raise Conflict(f"{version.ref} was not uploaded as a hosted model; look at it under /registry")
    return _card(registry, artefact.sha256, version)


def _card(registry: "Registry", sha256: str, version: Version) -> Card:
    found = _cards.get(sha256)
    if found is None:
        if len(_cards) >= _CARDS:
            _cards.clear()
        found = _cards[sha256] = Card.from_json(orjson.loads(registry.blobs.read(version.artefact(CARD).ref)))
    return found


_cards: dict[str, Card] = {}


def entry_of(registry: "Registry", tag: str) -> ModelEntry:
    try:
        return registry.get_model(PREFIX + tag)
    except NotFound:
        tags = [entry.model.removeprefix(PREFIX) for entry in registry.list_models() if entry.model.startswith(PREFIX)]
        raise NotFound(f"there is no hosted model {tag!r}; there are: {_shown(tags)}") from None


def told(registry: "Registry", entry: ModelEntry) -> HostedModel:
    return HostedModel(
        tag=entry.model.removeprefix(PREFIX),
        description=entry.description,
        default_version=entry.aliases.get(DEFAULT_ALIAS),
        aliases=entry.aliases,
        weights=entry.traffic.weights if entry.traffic else None,
        versions=[version.number for version in registry.list_versions(entry.model)],
    )


def _shown(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - 20} more" if len(found) > 20 else ""
    return ", ".join(found[:20]) + more if found else "none"
