"""An MLflow model directory: written of a version, and read.

Source: MLflow's documentation of the model format: `MLmodel` is YAML with a section for each flavor, which is a library
that can open the files. Ours has one more, `atoll`, with all that the registry knows of the version: a directory that
Atoll wrote is read without loss. Nothing of a directory is ever run or unpickled.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import Invalid
from common.registry.mlflow.signature import from_mlflow, to_mlflow
from common.registry.versions import Version, is_artefact, listed

MLMODEL = "MLmodel"
# Beside `MLmodel`, where MLflow looks for a model's file, unless the name is one that MLflow gives a meaning.
_TAKEN = frozenset({MLMODEL.lower(), "conda.yaml", "python_env.yaml", "requirements.txt", "registered_model_meta"})
_MAX_YAML_BYTES = 1 << 20
# MLflow's modules and the keys that name a model's file; those whose files are opened without running them.
_OPENED = {"onnx": "data", "lightgbm": "data", "xgboost": "data", "sklearn": "pickled_model"}
_SUFFIXES = {"onnx": "onnx", "skops": "sklearn"}
_LIBRARIES = {"lightgbm": ("txt", "lgb", "model"), "xgboost": ("json", "ubj", "model")}
_VERSIONS = {"onnx": "onnx_version", "lightgbm": "lgb_version", "xgboost": "xgb_version", "sklearn": "sklearn_version"}
_NAMES = {"onnx": "onnx", "lightgbm": "lightgbm", "xgboost": "xgboost", "sklearn": "scikit-learn"}


@dataclass(frozen=True)
class Found:
    """What a directory holds.

    Parameters
    ----------
    artefacts : file by name.
    main : name of the artefact that is the model's file; None where only Atoll knows the files.
    about : the version as Atoll told it when it wrote the directory; empty in one that others wrote.
    """

    artefacts: Mapping[str, Path]
    main: str | None
    library: str | None = None
    library_version: str | None = None
    signature: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def write(version: Version, read: Callable[[str], bytes], folder: Path) -> dict[str, Any]:
    """Write a version into a folder; what `MLmodel` holds.

    Parameters
    ----------
    read : gives the bytes of an artefact.
    """
    import yaml  # type: ignore[import-untyped]  # has no types of its own

    folder.mkdir(parents=True, exist_ok=True)
    for artefact in version.artefacts:
        path = folder / _place(artefact.name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(read(artefact.name))
    flavors: dict[str, Any] = {"atoll": version.model_dump(mode="json")}
    requirements: list[str] = []
    found = flavor_of(version)
    if found is not None:
        flavor, name = found
        flavors |= {flavor: _flavor(flavor, name, version), "python_function": _pyfunc(flavor, name)}
        requirements = ["mlflow", _requirement(_NAMES[flavor], version)]
        if flavor == "onnx":
            requirements.append("onnxruntime")
        (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements))
        python_env = {"python": _python(), "dependencies": ["-r requirements.txt"]}
        (folder / "python_env.yaml").write_text(yaml.safe_dump(python_env))
    told = {
        "flavors": flavors,
        "model_uuid": uuid.uuid5(uuid.NAMESPACE_URL, f"{version.ref} {version.created_at}").hex,
        "utc_time_created": f"{version.created_at:%Y-%m-%d %H:%M:%S.%f}",
        "metadata": {"atoll": version.ref},
    }
    signature = to_mlflow(version.signature, by_name=found is not None and found[0] == "onnx")
    if signature is not None:
        told["signature"] = signature
    (folder / MLMODEL).write_text(yaml.safe_dump(told, sort_keys=True, allow_unicode=True), encoding="utf-8")
    return told


def read(folder: Path) -> Found:
    """
    Raises
    ------
    Invalid
        It is no MLflow model, names a file outside it, or its files cannot be opened without running them.
    """
    told = _mlmodel(folder)
    flavors = told.get("flavors")
    if not isinstance(flavors, Mapping):
        raise Invalid(f"{MLMODEL} has no flavors")
    ours = flavors.get("atoll")
    if isinstance(ours, Mapping):
        return _read_ours(folder, ours, flavors)
    opened = [name for name in _OPENED if isinstance(flavors.get(name), Mapping)]
    if not opened:
        raise Invalid(
            f"the model is of {listed(sorted(flavors))}; Atoll takes those of {', '.join(sorted(_OPENED))}, "
            "and what it exported itself"
        )
    flavor = opened[0]
    inner = flavors[flavor]
    if flavor == "sklearn" and inner.get("serialization_format") != "skops":
        raise Invalid(
            "the model is a pickle, which runs whatever its maker wrote when it is opened; save it with "
            "mlflow.sklearn.save_model(…, serialization_format='skops'), or convert the file where you trust it: "
            "atoll registry convert FILE"
        )
    path = _within(folder, inner.get(_OPENED[flavor]))
    if path.is_dir():
        raise Invalid(f"{path.name} is a folder; a model of {flavor} in one file can be imported")
    version = inner.get(_VERSIONS[flavor])
    return Found(
        {_artefact_name(path.name): path},
        _artefact_name(path.name),
        library=_NAMES[flavor],
        library_version=None if version is None else str(version),
        signature=from_mlflow(told.get("signature")),
    )


def flavor_of(version: Version) -> tuple[str, str] | None:
    """The flavor that can open the version, and the artefact it opens; None where none of MLflow's can."""
    found = []
    for artefact in version.artefacts:
        if artefact.name.lower() in _TAKEN:
            continue
        suffix = artefact.name.rpartition(".")[2].lower()
        flavor = _SUFFIXES.get(suffix)
        library = (version.library or "").lower()
        if flavor is None and suffix in _LIBRARIES.get(library, ()):
            flavor = library
        if flavor is not None:
            found.append((flavor, artefact.name))
    # A pipeline that was compiled has both; what was trained is what others can open.
    found.sort(key=lambda item: item[0] != _flavor_named(version.library))
    return found[0] if len(found) == 1 or (found and found[0][0] != found[1][0]) else None


def _read_ours(folder: Path, ours: Mapping[str, Any], flavors: Mapping[str, Any]) -> Found:
    try:
        version = Version.model_validate(ours)
    except ValueError as exc:
        raise Invalid(f"what Atoll wrote into {MLMODEL} was changed: {exc}"[:300]) from None
    paths = {}
    for artefact in version.artefacts:
        path = _within(folder, _place(artefact.name))
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != artefact.sha256:
                raise Invalid(f"{artefact.name} is not what was exported; its SHA-256 differs")
        paths[artefact.name] = path
    main = None
    for name, key in _OPENED.items():
        if isinstance(flavors.get(name), Mapping):
            main = str(flavors[name].get(key, ""))
    return Found(
        paths,
        main if main in paths else None,
        version.library,
        version.library_version,
        version.signature,
        version.metrics,
        version.model_dump(mode="json"),
    )


def _mlmodel(folder: Path) -> Mapping[str, Any]:
    import yaml

    path = folder / MLMODEL
    if not path.is_file():
        raise Invalid(f"{folder} is no MLflow model: it has no file {MLMODEL}")
    if path.stat().st_size > _MAX_YAML_BYTES:
        raise Invalid(f"{MLMODEL} is larger than {_MAX_YAML_BYTES} bytes")
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise Invalid(f"{MLMODEL} is no YAML: {exc}"[:300]) from None
    if not isinstance(told, Mapping):
        raise Invalid(f"{MLMODEL} is no MLflow model")
    return told


def _within(folder: Path, given: object) -> Path:
    """A file of the folder, links followed."""
    if not isinstance(given, str) or not given or "\0" in given:
        raise Invalid(f"{MLMODEL} names no file of the model")
    path, root = (folder / given).resolve(), folder.resolve()
    if not path.is_relative_to(root):
        raise Invalid(f"{given[:80]!r} lies outside the model's folder")
    if not path.exists():
        raise Invalid(f"{given[:80]!r} is not there, though {MLMODEL} names it")
    return path


def _place(name: str) -> str:
    return f"files/{name}" if name.lower() in _TAKEN else name


def _artefact_name(name: str) -> str:
    return name if is_artefact(name) else "model" + Path(name).suffix


def _flavor(flavor: str, path: str, version: Version) -> dict[str, Any]:
    told: dict[str, Any] = {"code": None, _OPENED[flavor]: path, _VERSIONS[flavor]: version.library_version}
    match flavor:
        case "onnx":
            told |= {"providers": ["CPUExecutionProvider"], "onnx_session_options": None}
        case "sklearn":
            told |= {"serialization_format": "skops", "skops_trusted_types": None}
        case "lightgbm":
            told |= {"model_class": "lightgbm.basic.Booster"}
        case "xgboost":
            told |= {"model_class": "xgboost.core.Booster", "model_format": path.rpartition(".")[2]}
    return told


def _pyfunc(flavor: str, path: str) -> dict[str, Any]:
    key = "model_path" if flavor == "sklearn" else "data"
    return {
        "loader_module": f"mlflow.{flavor}",
        key: path,
        "python_version": _python(),
        "env": {"virtualenv": "python_env.yaml"},
    } | ({"predict_fn": "predict"} if flavor == "sklearn" else {})


def _flavor_named(library: str | None) -> str:
    return next((flavor for flavor, name in _NAMES.items() if name == library), "")


def _requirement(name: str, version: Version) -> str:
    return f"{name}=={version.library_version}" if version.library == name and version.library_version else name


def _python() -> str:
    import platform

    return platform.python_version()
