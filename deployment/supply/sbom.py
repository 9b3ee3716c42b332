"""The bill of materials, CycloneDX 1.6 as JSON: Atoll, what it is made of, whose file hashes, under which licences."""

import datetime as dt
import tomllib
import uuid
from collections.abc import Sequence
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from deployment.supply.licences import Licences
from deployment.supply.lock import Locked


def project(path: Path) -> tuple[str, str, str]:
    """Name, version and one line about the project, from pyproject.toml."""
    stated = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return stated["name"], stated["version"], stated["description"]


def write(locked: Sequence[Locked], licences: Licences, about: tuple[str, str, str], *, created: dt.datetime) -> str:
    """The document. The same lock, version and time give the same text, its serial number included."""
    name, version, description = about
    root = Component(
        type=ComponentType.APPLICATION,
        name=name,
        version=version,
        description=description,
        bom_ref=BomRef(f"{name}@{version}"),
    )
    components = [_component(package, licences.get((package.name, package.version), "")) for package in locked]
    bom = Bom(components=components)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, repr((about, locked)))
    bom.metadata.timestamp = created
    bom.metadata.component = root
    parents: dict[str, list[Component]] = {canonicalize_name(name): [root]}
    for component in components:
        parents.setdefault(component.name, []).append(component)
    for wanted_by, found in parents.items():
        children = [
            component for package, component in zip(locked, components, strict=True) if wanted_by in package.wanted_by
        ]
        for parent in found:
            bom.register_dependency(parent, children)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(package: Locked, licence: str) -> Component:
    url = PackageURL("pypi", name=package.name, version=package.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=BomRef(str(url)),
        purl=url,
        licenses=[LicenseExpression(licence)] if licence else [],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(str(url)),
                comment="the files of this release, any of which may be installed",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in package.hashes],
            )
        ],
        properties=[Property(name="atoll:marker", value=package.marker)] if package.marker else [],
    )
