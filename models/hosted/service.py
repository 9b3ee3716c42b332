"""What becomes of hosted models: published, told about, described, switched and deleted. All functions block."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import orjson

from common.errors import Conflict, Invalid, NotFound
from common.plugins.discovery import find as find_plugins
from common.registry.versions import DEFAULT_ALIAS, AliasChange, ModelEntry, Version
from common.security.audit import audit
from common.security.principal import Principal
from common.settings import PluginSettings
from common.storage.share import CHUNK_BYTES
from common.version import VERSION
from models.hosted.definitions import (
    FILE_TAG,
    PREFIX,
    DefaultChange,
    HostedModel,
    Information,
    Reference,
    Uploaded,
    described,
    tensors,
)
from models.hosted.formats.card import CARD, Card

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from common.registry.service import Registry
    from models.hosted.check import Checked

# Cards are small, and never change.
_CARDS = 512
_LIBRARY_CHARS = 64


def check_tag(tag: str, plugins: PluginSettings) -> None:
    """
    Raises
    ------
    Conflict
        It is the name of a plugin, whether this process serves it or not.
    """
    if tag in find_plugins(plugins):
        raise Conflict(f"{tag!r} is the name of a model that comes with this server; choose another tag")


def publish(
    registry: "Registry",
    tag: str,
    checked: "Checked",
    *,
    filename: str,
    size_bytes: int,
    sha256: str,
    by: Principal,
    description: str = "",
    alias: str | None = None,
    metrics: Mapping[str, float] | None = None,
) -> Uploaded:
    """Make a version of a model that was checked. The first one of a tag becomes the default.

    Parameters
    ----------
    filename, size_bytes, sha256 : of the file as it was sent.
    alias : is pointed to the version in the same transaction.

    Raises
    ------
    ShareFull, ShareDown
        Nothing was published.
    """
    # SQL only where something changes.
    from common.registry import removal, store

    model = PREFIX + tag

    def also(connection: "Connection", version: Version) -> None:
        entry = store.get_model(connection, model)
        if DEFAULT_ALIAS not in entry.aliases:
            store.set_alias(connection, model, DEFAULT_ALIAS, version.number, changed_at=version.created_at)
        if description and not entry.description:
            removal.describe(connection, model, description=description)
        audit(
            "model.uploaded",
            by=by,
            target=version.ref,
            connection=connection,
            file=filename,
            size_bytes=size_bytes,
            sha256=sha256,
            alias=alias,
        )

    version = registry.publish(
        model,
        dict(checked.artefacts),
        author=by.id or "anonymous",
        code_version=VERSION,
        alias=alias,
        metrics=metrics,
        signature=checked.signature,
        description=description,
        tags={FILE_TAG: filename, "format": checked.format},
        library=checked.library[:_LIBRARY_CHARS] or None,
        library_version=checked.library_version[:_LIBRARY_CHARS] or None,
        also=also,
    )
    return uploaded(registry, tag, version.number)


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
    return [_told(registry, entry) for entry in registry.list_models() if entry.model.startswith(PREFIX)]


def find(registry: "Registry", reference: Reference) -> Version:
    """The version that a reference names: the default where it names the tag alone.

    Raises
    ------
    NotFound
        The detail names what there is.
    """
    entry = _entry(registry, reference.tag)
    which = DEFAULT_ALIAS if reference.which is None else reference.which
    if which == DEFAULT_ALIAS and DEFAULT_ALIAS not in entry.aliases:
        raise NotFound(f"{reference.tag} has no default version; point one out with POST …/{reference.tag}/default")
    try:
        return registry.find(reference.model, which)
    except NotFound as exc:
        raise NotFound(exc.detail.replace(reference.model, reference.tag)) from None


def information(registry: "Registry", reference: Reference) -> Information:
    """
    Raises
    ------
    NotFound
    """
    entry = _entry(registry, reference.tag)
    version = find(registry, reference)
    card = card_of(registry, version)
    versions = registry.list_versions(reference.model)
    return Information(
        **described(version, card.original, entry.aliases).model_dump()
        | {"description": version.description or entry.description},
        tag=reference.tag,
        format=card.format,
        producer=card.producer,
        inputs=tensors(version.signature, "inputs"),
        outputs=tensors(version.signature, "outputs"),
        notes=list(card.notes),
        default_version=entry.aliases.get(DEFAULT_ALIAS),
        versions=[described(item, card_of(registry, item).original, entry.aliases) for item in versions],
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


def describe(registry: "Registry", reference: Reference, description: str, by: Principal) -> HostedModel:
    """Change the description of the tag; of a version where the reference names one.

    Raises
    ------
    NotFound, Invalid
    """
    number = None if reference.which is None else find(registry, reference).number
    entry = _entry(registry, reference.tag)
    target = entry.model if number is None else f"{entry.model}:{number}"
    registry.describe(
        entry.model,
        number,
        description=description,
        also=lambda connection, _: audit("model.described", by=by, target=target, connection=connection),
    )
    return _told(registry, _entry(registry, reference.tag))


def set_default(registry: "Registry", tag: str, number: int, by: Principal) -> DefaultChange:
    """
    Raises
    ------
    NotFound
    """

    def also(connection: "Connection", change: AliasChange) -> None:
        audit(
            "alias.moved",
            by=by,
            target=f"{change.model}:{change.alias}",
            connection=connection,
            version=change.version,
            previous=change.previous,
        )

    find(registry, Reference(tag, number))
    change = registry.set_alias(PREFIX + tag, DEFAULT_ALIAS, number, also)
    return DefaultChange(tag=tag, default=number, previous=change.previous)


def delete(registry: "Registry", reference: Reference, by: Principal) -> None:
    """Delete a version, or the tag with all its versions where the reference names no version.

    Raises
    ------
    NotFound
    Conflict
        An alias points to the version.
    """
    if reference.which is None:
        entry = _entry(registry, reference.tag)
        registry.delete_model(
            entry.model,
            lambda connection, gone: audit(
                "model.deleted", by=by, target=entry.model, connection=connection, versions=gone
            ),
        )
        return
    version = find(registry, reference)
    registry.delete_version(
        version.model,
        version.number,
        lambda connection, _: audit("version.deleted", by=by, target=version.ref, connection=connection),
    )


def delete_old(registry: "Registry", reference: Reference, by: Principal) -> Version | None:
    """Delete as the old interface does: a version although it is the default one. The newest of those left takes
    its place, and with the last version the tag goes.

    Returns
    -------
    The version; None where the tag went.

    Raises
    ------
    NotFound
    Conflict
        Another alias points to the version.
    """
    if reference.which is None:
        delete(registry, reference, by)
        return None
    version = find(registry, reference)
    left = [item.number for item in registry.list_versions(version.model, limit=2) if item.number != version.number]
    if not left:
        delete(registry, Reference(reference.tag), by)
        return version
    if _entry(registry, reference.tag).aliases.get(DEFAULT_ALIAS) == version.number:
        set_default(registry, reference.tag, left[0], by)
    delete(registry, Reference(reference.tag, version.number), by)
    return version


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


def told_description(given: str | None) -> str:
    """A description as it may be kept."""
    from common.registry.versions import check_description

    try:
        return check_description((given or "").strip())
    except Invalid as exc:
        raise Invalid.field("model_description", exc.errors[0].message, given) from None


def _card(registry: "Registry", sha256: str, version: Version) -> Card:
    found = _cards.get(sha256)
    if found is None:
        if len(_cards) >= _CARDS:
            _cards.clear()
        found = _cards[sha256] = Card.from_json(orjson.loads(registry.blobs.read(version.artefact(CARD).ref)))
    return found


_cards: dict[str, Card] = {}


def _entry(registry: "Registry", tag: str) -> ModelEntry:
    try:
        return registry.get_model(PREFIX + tag)
    except NotFound:
        tags = [entry.model.removeprefix(PREFIX) for entry in registry.list_models() if entry.model.startswith(PREFIX)]
        raise NotFound(f"there is no hosted model {tag!r}; there are: {_shown(tags)}") from None


def _told(registry: "Registry", entry: ModelEntry) -> HostedModel:
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
