"""A task as asked for: what to run, with what, where. Checked here, so that runners need not doubt any of it.

No text of it holds a line break or another control character: nothing can add a line to a script or manifest.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Scalar = bool | int | float | str

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_PARAMETER = r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("holds a line break or another control character; send one line of text")
    return value


def _of_the_users(name: str) -> str:
    if name.startswith(("ATOLL_", "SLURM_", "SBATCH_", "LD_")):
        raise ValueError("names that begin with ATOLL_, SLURM_, SBATCH_ or LD_ are taken; choose another")
    return name


def _inside(path: str) -> str:
    parts = path.split("/")
    if path.startswith(("/", "-")) or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError("is no path within the program; send e.g. train.py or src/train.py")
    return path


Line = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_one_line)]
# What becomes an option of a cluster's own program: nothing in it needs quoting, and none begins with a hyphen.
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@:/+-]{0,254}$")]
Title = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}$")]
Inside = Annotated[
    str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_one_line), AfterValidator(_inside)
]
Variable = Annotated[str, StringConstraints(pattern=_VARIABLE), AfterValidator(_of_the_users)]
Parameter = Annotated[str, StringConstraints(pattern=_PARAMETER)]
# Not \d, which takes digits of every script.
_INDICES = r"[0-9]{1,6}(-[0-9]{1,6}(:[0-9]{1,6})?)?"
ArrayRange = Annotated[str, StringConstraints(pattern=rf"^{_INDICES}(,{_INDICES})*(%[0-9]{{1,6}})?$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Tracking(_Frozen):
    """Where the program's runs are tracked.

    Parameters
    ----------
    uri : MLflow's; a name without a scheme is a folder of the share.
    """

    uri: Line
    experiment: Line


class SparkSpec(_Frozen):
    """What is particular to a Spark application.

    Parameters
    ----------
    main_class : of a JVM application; None for Python.
    application_file : what runs instead of the entry point, where executors find it: `local:///opt/app.jar` of the
        image, or a URL.
    conf : `spark.*` settings.
    executors : at the start; `min_executors` and `max_executors` switch dynamic allocation on.
    listener : properties for the listener, sent as `spark.customExtraListener.<camelCaseKey>`.
    """

    main_class: Word | None = None
    application_file: (
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,15}://[^\s\x00-\x1f]{1,1000}$")] | None
    ) = None
    version: Word | None = None
    arguments: tuple[Line, ...] = ()
    conf: Mapping[Word, Line] = Field(default_factory=dict)
    executors: int = Field(1, ge=1, le=10_000)
    min_executors: int | None = Field(None, ge=0, le=10_000)
    max_executors: int | None = Field(None, ge=1, le=10_000)
    driver_cores: int = Field(1, ge=1, le=1024)
    driver_memory: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}[kmgt]$")] = "1g"
    executor_cores: int = Field(1, ge=1, le=1024)
    executor_memory: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}[kmgt]$")] = "1g"
    memory_overhead: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}[kmgt]$")] | None = None
    listener: Mapping[Parameter, bool | int | float | Line] = Field(default_factory=dict)


class Register(_Frozen):
    """The hosted model that a task's result becomes a version of: the file `output` of its output folder."""

    tag: Word
    name: Word
    output: Inside = "model.onnx"


class TaskSpec(_Frozen):
    """A task.

    Parameters
    ----------
    name : for people, and the MLflow experiment of old clients.
    entry_point : the file of the program that is run: `.py` by Python, `.sh` by sh.
    command : run instead of the entry point, in the program's folder.
    parameters : reach the program as the file that `ATOLL_PARAMS` names, and, with `as_arguments`, as `--name=value`.
    dataset : `<share>/datasets/<dataset>.csv`; its path reaches the program as `ATOLL_DATASET`.
    inputs : names of files that were sent along; they lie in `ATOLL_INPUT_DIR`.
    image : of a container, in the form that the cluster's `containers` setting asks for.
    array : indices as Slurm writes them, `0-9`, `0-9:3`, `1,5,7`, with `%2` for two at once; `ATOLL_ARRAY_INDEX`.
    dependencies : ids of tasks that have to succeed before.
    retries : how often Atoll begins it anew after it failed; `requeue` lets the cluster do so after a node failed.
    """

    name: Title
    cluster: Word
    entry_point: Inside
    command: tuple[Line, ...] | None = None
    parameters: Mapping[Parameter, bool | int | float | Line] = Field(default_factory=dict)
    as_arguments: bool = False
    dataset: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")] | None = None
    inputs: tuple[Inside, ...] = ()
    image: Word | None = None
    partition: Word | None = None
    account: Word | None = None
    time_limit_s: int | None = Field(None, ge=1, le=366 * 86400)
    memory_bytes: int | None = Field(None, ge=1 << 20, le=1 << 50)
    cpus: int | None = Field(None, ge=1, le=100_000)
    gpus: int | None = Field(None, ge=0, le=10_000)
    nodes: int | None = Field(None, ge=1, le=10_000)
    array: ArrayRange | None = None
    dependencies: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{27}$")], ...] = ()
    environment: Mapping[Variable, Line] = Field(default_factory=dict)
    modules: tuple[Word, ...] = ()
    retries: int = Field(0, ge=0, le=100)
    requeue: bool = False
    tracking: Tracking | None = None
    spark: SparkSpec | None = None
    register_as: Register | None = None
    labels: Mapping[Word, Line] = Field(default_factory=dict)
    kind: Literal["program", "training"] = "program"

    def to_row(self) -> dict[str, Any]:
        """As the database keeps it."""
        return self.model_dump(mode="json", exclude_defaults=True)
