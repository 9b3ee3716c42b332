"""Who serves the models, how each is started, and how each wants to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hosted.bodies import BINARY, JSON, Make, own_json, v2_binary, v2_json
from benchmarks.hosted.peers.work import MODELS
from benchmarks.peers import Environment, Way
from benchmarks.serving.contestants import BENTOML, KSERVE, LITSERVE, MLSERVER, Asked, Contestant

ATOLL = "Atoll"
_RUNTIME = "onnxruntime>=1.22"


@dataclass(frozen=True)
class Side:
    """A contestant, and the kinds of bodies that it takes.

    Attributes
    ----------
    path : of a model, `{}` being its name.
    """

    contestant: Contestant
    path: str
    bodies: Mapping[str, Make]


def sides(files: Path) -> list[Side]:
    """files: folder of the ONNX files."""
    v2 = {JSON: v2_json, BINARY: v2_binary}
    return [
        Side(_atoll(), "/v2/models/hosted.{}/infer", v2),
        _peer("KServe", "kserve_server", files, KSERVE, "/v2/models/{}/infer", v2),
        # It has no binary tensors over REST.
        _peer("MLServer", "mlserver_server", files, MLSERVER, "/v2/models/{}/infer", {JSON: v2_json}),
        _peer("LitServe", "litserve_server", files, LITSERVE, "/{}", {JSON: own_json}),
        _peer("BentoML", "bentoml_server", files, BENTOML, "/{}", {JSON: own_json}),
        _peer("PyTriton", "pytriton_server", files, PYTRITON, "/v2/models/{}/infer", v2),
    ]


def lean(state: Path, **more: str) -> dict[str, str]:
    """Settings of Atoll: requests are answered, without a line in a log for each, and without a job system beside."""
    return {
        "ATOLL_STATE": str(state),
        "DATASET_PATH": str(state),
        "SERVICE_MODEL": "hosted",
        "LOG_LEVEL": "WARNING",
        "ATOLL_ROLES": "http",
        **more,
    }


def _with_runtime(environment: Environment, name: str) -> Environment:
    """An environment of its own: the same packages, and ONNX Runtime."""
    ways = tuple(Way((*way.requirements, _RUNTIME), way.options) for way in environment.ways)
    return Environment(f"{name}-onnx", ways)


PYTRITON = Environment("pytriton", (Way(("nvidia-pytriton==0.7.0", "numpy<3")),))


def _atoll() -> Contestant:
    models = {name: Asked(f"/v2/models/hosted.{name}/infer", v2_json(1).content.decode()) for name in MODELS}
    return Contestant(
        ATOLL,
        lambda python, _, port: [python, "-m", "common.host", "--port", str(port)],
        models,
        lambda state, _: lean(state),
    )


def _peer(name: str, module: str, files: Path, environment: Environment, path: str, bodies: Mapping[str, Make]) -> Side:
    models = {model: Asked(path.format(model), bodies[JSON](1).content.decode()) for model in MODELS}
    contestant = Contestant(
        name,
        lambda python, _, port: [python, "-m", f"benchmarks.hosted.peers.{module}", str(port), str(files)],
        models,
        environment=_with_runtime(environment, environment.name),
    )
    return Side(contestant, path, bodies)
