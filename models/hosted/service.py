"""What becomes of hosted models: published, described, switched and deleted. All functions block."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from common.errors import Conflict, Invalid
from common.plugins.discovery import find as find_plugins
from common.registry.versions import DEFAULT_ALIAS, AliasChange, Version
from common.security.audit import audit
from common.security.principal import Principal
from common.settings import PluginSettings
from common.version import VERSION
from models.hosted.definitions import FILE_TAG, PREFIX, DefaultChange, HostedModel, Reference, Uploaded
from models.hosted.lookup import entry_of, find, told, uploaded

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from common.registry.service import Registry
    from models.hosted.check import Checked

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
    job_id: str | None = None,
) -> Uploaded:
    """Make a version of a model that was checked. The first one of a tag becomes the default.

    Parameters
    ----------
    filename, size_bytes, sha256 : of the file as it was sent.
    alias : is pointed to the version in the same transaction.
    job_id : that made the file; of one there is one version.

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
        job_id=job_id,
        also=also,
    )
    return uploaded(registry, tag, version.number)


def describe(registry: "Registry", reference: Reference, description: str, by: Principal) -> HostedModel:
    """Change the description of the tag; of a version where the reference names one.

    Raises
    ------
    NotFound, Invalid
    """
    number = None if reference.which is None else find(registry, reference).number
    entry = entry_of(registry, reference.tag)
    target = entry.model if number is None else f"{entry.model}:{number}"
    registry.describe(
        entry.model,
        number,
        description=description,
        also=lambda connection, _: audit("model.described", by=by, target=target, connection=connection),
    )
    return told(registry, entry_of(registry, reference.tag))


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
        entry = entry_of(registry, reference.tag)
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
    if entry_of(registry, reference.tag).aliases.get(DEFAULT_ALIAS) == version.number:
        set_default(registry, reference.tag, left[0], by)
    delete(registry, Reference(reference.tag, version.number), by)
    return version


def told_description(given: str | None) -> str:
    """A description as it may be kept."""
    from common.registry.versions import check_description

    try:
        return check_description((given or "").strip())
    except Invalid as exc:
        raise Invalid.field("model_description", exc.errors[0].message, given) from None
