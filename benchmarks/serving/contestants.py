"""Who serves the models, how each is started, and how each wants to be asked."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import Environment, Way
from benchmarks.server import REPOSITORY
from benchmarks.serving.wrk import ENDLESS, RETURNING

PLUGINS = REPOSITORY / "benchmarks" / "serving" / "plugins"
BARE, ATOLL, ATOLL_HIT = "FastAPI", "Atoll", "Atoll, cached"
# As they start where nobody sets anything: both log requests, and Atoll runs jobs too.
BARE_DEFAULT, ATOLL_DEFAULT = "FastAPI, defaults", "Atoll, defaults"
DEFAULTS = (BARE_DEFAULT, ATOLL_DEFAULT)

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


def _atoll_settings(state: Path, _: int) -> dict[str, str]:
    """Defaults, but for where things are."""
    return {
        "ATOLL_STATE": str(state),
        "DATASET_PATH": str(state),
        "ATOLL_PLUGIN_PATH": str(PLUGINS),
        "SERVICE_MODEL": "bench_add_one,bench_iris,bench_forest",
    }


def _atoll_lean(state: Path, port: int) -> dict[str, str]:
    """What the others do: answer requests, without a line in a log for each, and without a job system beside."""
    return _atoll_settings(state, port) | {"LOGGING_LEVEL": "WARNING", "ATOLL_ROLES": "http"}


def _as_here(name: str) -> str:
    """The version of a package that Atoll is measured with."""
    return f"{name}=={version(name)}"


# The loop and the parser too: uvicorn takes them where they are installed.
_ALIKE = tuple(map(_as_here, ("scikit-learn", "uvloop", "httptools")))
KSERVE = Environment("kserve", (Way(("kserve==0.21.0", *_ALIKE)),))
MLSERVER = Environment("mlserver", (Way(("mlserver==1.7.1", *_ALIKE)), Way(("mlserver==1.7.1", "scikit-learn"))))
LITSERVE = Environment("litserve", (Way(("litserve==0.2.19", *_ALIKE)),))
BENTOML = Environment("bentoml", (Way(("bentoml==1.4.40", *_ALIKE)), Way(("bentoml==1.4.39", *_ALIKE))))

CONTESTANTS = (
    Contestant(BARE, _module("fastapi_plain"), _FASTAPI),
    Contestant(ATOLL, _host, _ATOLL, _atoll_lean),
    Contestant(ATOLL_HIT, _host, _ATOLL, _atoll_lean, RETURNING, ATOLL),
    Contestant(BARE_DEFAULT, _module("fastapi_plain", "--access-log"), _FASTAPI),
    Contestant(ATOLL_DEFAULT, _host, _ATOLL, _atoll_settings),
    Contestant("KServe", _module("kserve_server"), _KSERVE, environment=KSERVE),
    Contestant("MLServer", _module("mlserver_server"), _MLSERVER, environment=MLSERVER),
    Contestant("LitServe", _module("litserve_server"), _FASTAPI, environment=LITSERVE),
    Contestant("BentoML", _module("bentoml_server"), _BENTOML, environment=BENTOML),
)


def python_of(contestant: Contestant) -> str:
    """The interpreter that runs it. Raises `NotMeasured` where what it needs cannot be installed."""
    return sys.executable if contestant.environment is None else contestant.environment.python()
