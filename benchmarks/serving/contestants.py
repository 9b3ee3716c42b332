"""Who serves the models, how each is started, and how each wants to be asked."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Environment, Way
from benchmarks.server import REPOSITORY
from benchmarks.serving.wrk import ENDLESS, RETURNING

PLUGINS = REPOSITORY / "benchmarks" / "serving" / "plugins"
BARE, BARE_LOGGED = "FastAPI", "FastAPI, access log"
ATOLL, ATOLL_HIT, ATOLL_LOGGED = "Atoll", "Atoll, cached", "Atoll, access log"
OWN = (BARE, ATOLL, ATOLL_HIT)
LOGGED = (BARE_LOGGED, ATOLL_LOGGED)

# Each number makes another body, and another item for a cache.
VALUE = "$N"
FEATURES = "[5.1,3.5,1.4,0.1$N7]"


@dataclass(frozen=True)
class Asked:
    """How a model is asked.

    Attributes
    ----------
    template : of the body; see `wrk.load`.
    """

    path: str
    template: str


@dataclass(frozen=True)
class Contestant:
    """A server of the models.

    Attributes
    ----------
    command : state folder, port -> how it is started.
    settings : state folder, port -> environment variables.
    models : how each model is asked.
    distinct : different bodies that it is asked.
    beside : name of the contestant whose server this one asks too.
    environment : what has to be installed; None where Atoll's own environment serves.
    """

    name: str
    command: Callable[[str, Path, int], list[str]]
    models: Mapping[str, Asked]
    settings: Callable[[Path, int], dict[str, str]] = lambda _, __: {}
    distinct: int = ENDLESS
    beside: str = ""
    environment: Environment | None = None


def _module(name: str, *more: str) -> Callable[[str, Path, int], list[str]]:
    return lambda python, _, port: [python, "-m", f"benchmarks.serving.peers.{name}", str(port), *more]


def _plain(path: Callable[[str], str], value: str, features: str) -> dict[str, Asked]:
    return {
        "add_one": Asked(path("add_one"), value),
        "iris": Asked(path("iris"), features),
        "forest": Asked(path("forest"), features),
    }


_FASTAPI = _plain(lambda model: f"/{model}", f'{{"value":{VALUE}}}', f'{{"features":{FEATURES}}}')
_ATOLL = _plain(lambda model: f"/bench_{model}/predict", f'{{"value":{VALUE}}}', f'{{"features":{FEATURES}}}')
_KSERVE = _plain(
    lambda model: f"/v1/models/{model}:predict", f'{{"instances":[{VALUE}]}}', f'{{"instances":[{FEATURES}]}}'
)
_BENTOML = _plain(lambda model: f"/{model}", f'{{"value":{VALUE}}}', f'{{"features":{FEATURES}}}')


def _tensor(shape: str, data: str) -> str:
    return f'{{"inputs":[{{"name":"x","shape":{shape},"datatype":"FP64","data":{data}}}]}}'


_MLSERVER = _plain(
    lambda model: f"/v2/models/{model}/infer", _tensor("[1,1]", f"[{VALUE}]"), _tensor("[1,4]", FEATURES)
)


def _host(python: str, _: Path, port: int) -> list[str]:
    return [python, "-m", "common.host", "--port", str(port)]


def _atoll_settings(level: str) -> Callable[[Path, int], dict[str, str]]:
    """Defaults, but for where things are and whether requests are logged."""

    def settings(state: Path, _: int) -> dict[str, str]:
        return {
            "ATOLL_STATE": str(state),
            "DATASET_PATH": str(state),
            "ATOLL_PLUGIN_PATH": str(PLUGINS),
            "SERVICE_MODEL": "bench_add_one,bench_iris,bench_forest",
            "LOG_LEVEL": level,
        }

    return settings


_SKLEARN = "scikit-learn==1.9.1"
KSERVE = Environment("kserve", (Way(("kserve==0.21.0", _SKLEARN, "uvloop==0.23.0")),))
MLSERVER = Environment("mlserver", (Way(("mlserver==1.7.1", _SKLEARN)), Way(("mlserver==1.7.1", "scikit-learn"))))
LITSERVE = Environment("litserve", (Way(("litserve==0.2.19", _SKLEARN)),))
BENTOML = Environment("bentoml", (Way(("bentoml==1.4.40", _SKLEARN)), Way(("bentoml<1.4.40", _SKLEARN))))

CONTESTANTS = (
    Contestant(BARE, _module("fastapi_plain"), _FASTAPI),
    Contestant(ATOLL, _host, _ATOLL, _atoll_settings("WARNING")),
    Contestant(ATOLL_HIT, _host, _ATOLL, _atoll_settings("WARNING"), RETURNING, ATOLL),
    Contestant(BARE_LOGGED, _module("fastapi_plain", "--access-log"), _FASTAPI),
    Contestant(ATOLL_LOGGED, _host, _ATOLL, _atoll_settings("INFO")),
    Contestant("KServe", _module("kserve_server"), _KSERVE, environment=KSERVE),
    Contestant("MLServer", _module("mlserver_server"), _MLSERVER, environment=MLSERVER),
    Contestant("LitServe", _module("litserve_server"), _FASTAPI, environment=LITSERVE),
    Contestant("BentoML", _module("bentoml_server"), _BENTOML, environment=BENTOML),
)


def python_of(contestant: Contestant) -> str:
    """The interpreter that runs it. Raises `NotMeasured` where what it needs cannot be installed."""
    return sys.executable if contestant.environment is None else contestant.environment.python()
