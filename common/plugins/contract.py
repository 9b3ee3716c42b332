"""What a plugin may declare beside its `router`."""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter

from common.http.problems import LegacyShape
from common.plugins.definition import BaseDefinition
from common.plugins.pull import ModelPuller, Puller
from common.registry.held import Held
from common.security.principal import Principal
from common.security.scopes import parse_scopes
from common.serving.batcher import Batching
from common.serving.items import Kept
from common.serving.tensors import TensorModels
from common.settings import get_settings

if TYPE_CHECKING:
    from common.jobs.train_context import TrainContext
    from common.runtime import Runtime

# First path segments of Atoll's own routes; no plugin may bear one of these names.
RESERVED_NAMES = frozenset(
    {
        "audit",
        "clusters",
        "console",
        "datasets",
        "docs",
        "health",
        "job_status",
        "jobs",
        "keys",
        "metrics",
        "models",
        "new_task",
        "openapi",
        "params",
        "registry",
        "settings",
        "tasks",
        "v2",
    }
)

_OF_TENSORS = ("names", "versions", "find", "known")


_PANEL = re.compile(r"[a-z][a-z0-9-]*\.js")
_COMMAND = re.compile(r"[a-z]+ [a-z][a-z-]*")
_PLACE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class OldPrefix:
    """A path under which old clients know the plugin's routes, and how errors look to them.

    Parameters
    ----------
    path : also the whole path of a route, where that is all that answers.
    error_shape : makes the body of an error.
    router : what answers there where it is more than another name for the plugin's own routes; its paths go on from
        `path`.
    """

    path: str
    error_shape: LegacyShape
    router: APIRouter | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path.startswith("/") or self.path.endswith("/"):
            raise ValueError(f"OldPrefix(path={self.path!r}): begin it with a slash and end it without one")
        if not callable(self.error_shape):
            raise TypeError(f"OldPrefix({self.path!r}): error_shape is not a function from an error to its body")
        if not isinstance(self.router, APIRouter | None):
            raise TypeError(f"OldPrefix({self.path!r}): router is no APIRouter")


@dataclass(frozen=True)
class Dataset:
    """A data set that a plugin answers from, for `/datasets` and the start-up lines."""

    name: str
    folder: Path
    origin: str
    description: str = ""


@dataclass(frozen=True)
class Output:
    """A file that a user's program left on a cluster, and that is to become a version of a model.

    Parameters
    ----------
    path : of this machine; it goes when the hook returns.
    filename : as the program called it.
    sha256 : in hex.
    tag : the model.
    name : what its trainer calls it.
    by : who asked for it, with what they may do.
    job_id : of the attempt that made it; of one attempt there is one version, however often it is published.
    metrics : what the program measured.
    """

    path: Path
    filename: str
    size_bytes: int
    sha256: str
    tag: str
    name: str
    by: Principal
    job_id: str
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plugin:
    """Optional declarations of a plugin, as `plugin` in its package. A `router` alone is a plugin too.

    Parameters
    ----------
    title : name for people; by default the router's first tag, then the package's name.
    description : what it does, in a sentence; by default the first one of the package's docstring.
    load : a plain function that gets ready to answer: reads data, warms caches. Runs once a process, on a thread, after
        start-up; the plugin's routes wait for it. If it raises, the model is unavailable, the error's text is the
        reason, and it is tried again later.
    datasets : the data sets in use, once loaded.
    prefixes : old prefixes that answer too.
    predict_batch : `run(items)` predicts many items at once: a result each, anything that is JSON, in their order; an
        exception among them is that item's alone. It runs on a thread, with items of several requests; or `Batching`,
        which also says what an item costs. `common.serving.answer_items` is the way to it.
    cache : what determines an item's result, which is kept under it.
    row : an item of `predict_batch` as numbers and texts by name. Without it no rows of the model's requests are kept
        for comparisons with its training (`PUT /registry/{model}/sampling`).
    version : names what answers now: results of another version are not found. By default a digest of the code.
    estimate : seconds that a predict request will take, from its body (the definition); may raise `Invalid`. A request
        that is to be queued is looked at by it first; one that takes longer than `ASYNC_AFTER_S` is queued unasked.
    examples : request bodies for `POST …/predict` by name; shown in the docs and run by `atoll plugin check`.
    train : `train(context, request)` trains the model as a queued job, and publishes with `context.publish`. It makes
        `POST …/train`.
    train_request : definition of the body of `POST …/train`; needed with `train`.
    check_train : looks at a training's request before it is queued, on a thread, the model being ready; may raise
        `Invalid` or `NotFound`.
    space : the module that says what a search may try: `suggest(trial)` and, where the defaults do not fit,
        `sampler(seed)`, `pruner()`, `DIRECTION`.
    worker : class of workers that can run its jobs: `train` ones have torch.
    pulls : functions that build a data set from a public source, by the source's name, for `atoll datasets pull`.
    pull_model : makes a version of the model from weights that others have trained, for `atoll models pull NAME`.
    serve_version : takes the version of the registry that serves from now on, at load, and whenever `default` moves;
        one of number None where none was published. What it raises makes the model unavailable at load; later the
        version that serves goes on. Belongs to `load`.
    scopes : what a route asks of its caller where that is more than `predict` (`train` for `POST …/train`), by method
        and path below the prefix: `{"POST /batch": "train"}`. It holds under old prefixes too.
    max_body_bytes : the largest body that its routes take, where that is less than `MAX_BODY_BYTES`; a larger one is
        answered 413 before it is read.
    large_bodies : routes that take more than `MAX_BODY_BYTES`, and count what they read for themselves, by method and
        path below the prefix: `POST /models/{name}`. They stream the body; a limit of their own is theirs to keep.
    tensors : the models that it serves by the Open Inference Protocol, where these are others than what `POST
        …/predict` answers.
    cli : commands that it adds to `atoll`, by group and name, each where its function is: `{"registry push":
        "models.mine.cli:push"}`. The function has Typer's annotations, and is imported when the command is asked for.
    panels : ES modules in the folder `console` of the package that show answers, or the model, in the web console in a
        way of their own: `("panel.js",)`; `common/console/static/js/model/panels.js` says what they get and give.
    leaves : folders of the share in which its jobs leave files; each file goes `JOB_RESULT_DAYS` after it was written.
    publish_output : makes a version of a file that a user's program left on a cluster, and gives what is told of it;
        may raise `Invalid`. The first plugin that has one takes them all.

    Raises
    ------
    ValueError
        The parts do not fit together.
    """

    title: str | None = None
    description: str | None = None
    load: Callable[[], None] | None = None
    datasets: Callable[[], Sequence[Dataset]] | None = None
    prefixes: Sequence[OldPrefix] = ()
    predict_batch: Batching[Any] | Callable[[Sequence[Any]], Sequence[Any]] | None = None
    cache: Kept[Any] | None = None
    row: Callable[[Any], Mapping[str, Any]] | None = None
    version: Callable[[], str] | None = None
    estimate: Callable[[Any], float] | None = None
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    train: "Callable[[TrainContext, Any], None] | None" = None
    train_request: type[BaseDefinition] | None = None
    check_train: Callable[[Any], None] | None = None
    space: ModuleType | None = None
    worker: Literal["cpu", "train"] = "cpu"
    pulls: Mapping[str, Puller] = field(default_factory=dict)
    pull_model: ModelPuller | None = None
    serve_version: Callable[[Held], None] | None = None
    scopes: Mapping[str, str] = field(default_factory=dict)
    max_body_bytes: int | None = None
    large_bodies: Sequence[str] = ()
    tensors: TensorModels | None = None
    cli: Mapping[str, str] = field(default_factory=dict)
    leaves: Sequence[str] = ()
    panels: Sequence[str] = ()
    publish_output: "Callable[[Runtime, Output], Mapping[str, Any]] | None" = None

    def __post_init__(self) -> None:
        # What is wrong here would otherwise fail later, in the app that serves the other plugins too.
        if (self.train is None) != (self.train_request is None):
            raise ValueError("`train` and `train_request` belong together; declare both or none")
        if self.check_train is not None and self.train is None:
            raise ValueError("`check_train` belongs to `train`; declare it too")
        if self.space is not None and not callable(getattr(self.space, "suggest", None)):
            raise ValueError("`space` is a module with a function `suggest(trial)`")
        for name, text in (("title", self.title), ("description", self.description)):
            if not isinstance(text, str | None):
                raise TypeError(f"Plugin({name}={text!r}): not a text")
        for name, function in (
            ("load", self.load),
            ("datasets", self.datasets),
            ("check_train", self.check_train),
            ("pull_model", self.pull_model),
            ("serve_version", self.serve_version),
            ("publish_output", self.publish_output),
        ):
            if function is not None and not callable(function):
                raise TypeError(f"Plugin({name}={function!r}): not a function")
            # Of a class with `async def __call__` it is the method that tells.
            if any(map(inspect.iscoroutinefunction, (function, getattr(type(function), "__call__", None)))):  # noqa: B004 - its kind
                raise TypeError(f"Plugin({name}=…): a coroutine function; it runs on a thread, make it a plain `def`")
        if self.predict_batch is None and (self.cache is not None or self.version is not None):
            raise ValueError("`cache` and `version` belong to `predict_batch`; declare it too")
        if self.row is not None and (self.predict_batch is None or not callable(self.row)):
            raise ValueError("`row` is a function of an item of `predict_batch`; declare that too")
        if self.serve_version is not None and self.load is None:
            raise ValueError("`serve_version` belongs to `load`; declare it too")
        run = self.predict_batch.run if isinstance(self.predict_batch, Batching) else self.predict_batch
        if run is not None and (not callable(run) or inspect.iscoroutinefunction(run)):
            raise TypeError("Plugin(predict_batch=…): not a plain function from items to results, nor Batching(run)")
        if self.tensors is not None and not all(callable(getattr(self.tensors, name, None)) for name in _OF_TENSORS):
            raise TypeError(f"Plugin(tensors=…): no TensorModels, which have {', '.join(_OF_TENSORS)}")
        if not isinstance(self.cache, Kept | None):
            raise TypeError("Plugin(cache=…): not Kept(key)")
        if not isinstance(self.prefixes, Sequence) or not all(isinstance(old, OldPrefix) for old in self.prefixes):
            raise TypeError("Plugin(prefixes=…): not a list of OldPrefix")
        _check_examples(self.examples)
        if not isinstance(self.pulls, Mapping) or not all(map(callable, self.pulls.values())):
            raise TypeError("Plugin(pulls=…): not a mapping from names of sources to functions")
        if not isinstance(self.scopes, Mapping):
            raise TypeError("Plugin(scopes=…): not a mapping from method and path to the name of a scope")
        parse_scopes(self.scopes.values())
        if self.max_body_bytes is not None and not (isinstance(self.max_body_bytes, int) and self.max_body_bytes > 0):
            raise ValueError(f"Plugin(max_body_bytes={self.max_body_bytes!r}): not a number of bytes")
        if not isinstance(self.cli, Mapping) or not all(
            _COMMAND.fullmatch(str(name)) and _PLACE.fullmatch(str(place)) for name, place in self.cli.items()
        ):
            raise TypeError(f"Plugin(cli={self.cli!r}): not a mapping from `group name` to `module:function`")
        if isinstance(self.large_bodies, str) or not all(isinstance(route, str) for route in self.large_bodies):
            raise TypeError(f"Plugin(large_bodies={self.large_bodies!r}): not a list of methods and paths")
        # A text is a sequence too, and the share itself must not be emptied.
        if isinstance(self.leaves, str) or not all(isinstance(folder, str) and folder for folder in self.leaves):
            raise TypeError(f"Plugin(leaves={self.leaves!r}): not a list of folders on the share")
        if isinstance(self.panels, str) or not all(_PANEL.fullmatch(str(name)) for name in self.panels):
            raise TypeError(f"Plugin(panels={self.panels!r}): not a list of files in `console/`, like `panel.js`")


def _check_examples(examples: Mapping[str, Mapping[str, Any]]) -> None:
    if not isinstance(examples, Mapping):
        raise TypeError("Plugin(examples=…): not a mapping from names to request bodies")
    for name, body in examples.items():
        if not isinstance(name, str) or not isinstance(body, Mapping):
            raise TypeError(f"Plugin(examples=…): {name!r} is not the name of a request body, a mapping")
        try:
            json.dumps(dict(body), allow_nan=False)
        except (TypeError, ValueError) as exc:
            raise TypeError(f"Plugin(examples=…): {name!r} is not JSON: {exc}") from None


def is_served(name: str) -> bool:
    """Whether this process is asked to serve the plugin `name`: a plugin may ask before it loads anything."""
    chosen = get_settings().plugins.service_model
    return not chosen or name in chosen
