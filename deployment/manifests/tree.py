"""From the list of services in a folder to the files beside it, and back to no trace of a service."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml  # type: ignore[import-untyped]  # has no types of its own

from deployment.manifests import routes, staying, workloads
from deployment.manifests.models import Model
from deployment.manifests.spec import Service, check_all, read_services, write_services

LIST = "services.yaml"
_NOTE = "# Written by `python -m deployment.service_gen` from services.yaml.\n"
_STAYING: Mapping[staying.Counted, str] = {"azure-queue": "workers/azure-queue", "database": "workers/database"}
_FOLDERS = ("services", "scalers/keda", "scalers/hpa", "queues/database", *_STAYING.values())

Routing = Literal["ingress", "istio"]


@dataclass(frozen=True)
class Root:
    """A folder with a list of services and what was made of it.

    Parameters
    ----------
    routing : who sends requests on: nginx, or Istio.
    """

    path: Path
    routing: Routing = "ingress"

    @classmethod
    def at(cls, path: Path) -> "Root":
        """The root in a folder, which says by what lies there how it routes."""
        is_istio = (path / "services" / "virtualservice.yaml").exists()
        return cls(path, "istio" if is_istio else "ingress")

    def services(self) -> list[Service]:
        return read_services(self.path / LIST)

    def write(self, services: Sequence[Service], models: Mapping[str, Model]) -> list[Path]:
        """Make the files say what the list says; nothing is written where it cannot be followed.

        Returns what changed, relative to the root; a file that says so already is not touched.

        Raises
        ------
        SpecError
            The services cannot stand side by side.
        """
        check_all(services, models)
        wanted = render(services, models, self.routing)
        present = {path for folder in _FOLDERS for path in (self.path / folder).glob("*.yaml")}
        changed = []
        for name, text in wanted.items():
            path = self.path / name
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                changed.append(Path(name))
        for path in sorted(present - {self.path / name for name in wanted}):
            # What somebody else put there stays.
            if path.read_text(encoding="utf-8").startswith(_NOTE):
                path.unlink()
                changed.append(path.relative_to(self.path))
        return changed


def render(services: Sequence[Service], models: Mapping[str, Model], routing: Routing) -> dict[str, str]:
    """The text of each file, by its path below the root. The same list gives the same text."""
    files = {LIST: write_services(services)}
    for service in services:
        files[f"services/{service.name}.yaml"] = text_of(workloads.service_objects(service, models))
        files[f"scalers/keda/{service.name}.yaml"] = text_of([workloads.keda_scaler(service)])
        files[f"scalers/hpa/{service.name}.yaml"] = text_of([workloads.hpa_scaler(service)])
        files[f"queues/database/{service.name}.yaml"] = text_of(workloads.database_triggers(service, models))
    names = [f"{service.name}.yaml" for service in services]
    if routing == "ingress":
        way, shown = "ingress.yaml", routes.ingress(services, models)
    else:
        way, shown = "virtualservice.yaml", routes.virtual_service(services, models)
    files[f"services/{way}"] = text_of([shown])
    files["services/kustomization.yaml"] = text_of([_kustomization(resources=[*names, way])])
    for scaler in ("keda", "hpa"):
        files[f"scalers/{scaler}/kustomization.yaml"] = text_of([_component(resources=names)])
    patches = [{"path": name} for name in names]
    files["queues/database/kustomization.yaml"] = text_of([_component(patches=patches)])
    return {**files, **_staying(services, models)}


def _staying(services: Sequence[Service], models: Mapping[str, Model]) -> dict[str, str]:
    files: dict[str, str] = {}
    for counted, folder in _STAYING.items():
        made = {service.name: staying.staying_workers(service, models, counted) for service in services}
        names = [name for name, objects in made.items() if objects]
        files |= {f"{folder}/{name}.yaml": text_of(made[name]) for name in names}
        gone = [patch for service in services for patch in staying.replaced_jobs(service, models)]
        patches = [{"patch": yaml.safe_dump(patch, sort_keys=False)} for patch in gone]
        component = _component(resources=[f"{name}.yaml" for name in names], patches=patches)
        files[f"{folder}/kustomization.yaml"] = text_of([component])
    return files


def text_of(objects: Iterable[Mapping[str, Any]]) -> str:
    """YAML with a note of where it is from."""
    return _NOTE + str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True))


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes every list and mapping out, without `&id001`."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _kustomization(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **parts}


def _component(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", **parts}
