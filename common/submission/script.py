"""`run.sh`: what is run on a cluster for a task, the same for every kind of cluster. Pure.

A POSIX sh script. It finds the task's folder from `ATOLL_TASK_DIR`, else from its own path, and runs the program with
what it was promised. Every value that comes from a user or a configuration is quoted.

A cluster may begin a task twice (it was asked twice, or has put it back). The first to claim the folder runs the
program; the same cluster job may go on with it, and another one leaves at once with exit code 0.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence

from common.errors import Invalid
from common.submission.config import ClusterConfig
from common.submission.container import find_image, is_wrapped, wrapper
from common.submission.spark_submit import left_out, submit_words
from common.submission.spec import Scalar, TaskSpec

# What lies where in the task's folder.
RUN, PARAMS, PROGRAM, INPUTS, DATASETS, OUTPUT = "run.sh", "params.json", "program", "inputs", "datasets", "output"
METRICS = f"{OUTPUT}/metrics.json"
# What run.sh itself ends with when it could not begin the program.
NOT_BEGUN = 125

_PLACE = re.compile(r"\$(ATOLL_TASK_DIR|ATOLL_OUTPUT_DIR)(?![A-Za-z0-9_])")

_CLAIM = """\
# Moving a folder into place is atomic: whoever has moved it has the claim, with its owner in it.
# Elements claim one by one, unless their cluster calls all of them alike: then two arrays cannot share a task.
claim=$ATOLL_TASK_DIR/claim
[ -n "${ATOLL_CLAIM_WHOLE:-}" ] || claim=$claim${ATOLL_ARRAY_INDEX:+-$ATOLL_ARRAY_INDEX}
owner=${ATOLL_CLUSTER_JOB_ID:-by hand}
mine=$ATOLL_TASK_DIR/.claim${ATOLL_ARRAY_INDEX:+-$ATOLL_ARRAY_INDEX}.$(printf %s "$owner" | tr -c A-Za-z0-9_- _)
{ mkdir -p "$mine" && printf '%s\\n' "$owner" >"$mine/owner"; } || fail "the task's folder cannot be written to"
mv "$mine" "$claim" 2>/dev/null
holder=
IFS= read -r holder <"$claim/owner" || fail "the task's folder cannot be claimed"
rm -rf "$mine" "${claim:?}/${mine##*/}"
if [ "$holder" != "$owner" ]; then
  printf 'atoll: this task is run by the cluster job %s; %s leaves it alone\\n' "$holder" "$owner" >&2
  exit 0
fi
"""

_MODULES = """\
if ! command -v module >/dev/null 2>&1; then
  for found in /etc/profile.d/lmod.sh /etc/profile.d/modules.sh /usr/share/lmod/lmod/init/sh \\
    /usr/share/modules/init/sh; do
    # shellcheck disable=SC1090
    if [ -r "$found" ]; then . "$found"; break; fi
  done
fi
command -v module >/dev/null 2>&1 || fail "there are no environment modules here; leave \\"modules\\" out"
"""


def render(
    spec: TaskSpec,
    config: ClusterConfig,
    *,
    task_id: str,
    name: str,
    tracking: Mapping[str, str] | None = None,
) -> str:
    """The text of `run.sh`.

    Parameters
    ----------
    name : the submission's own (`names.cluster_name`).
    tracking : variables for MLflow. `$ATOLL_TASK_DIR` and `$ATOLL_OUTPUT_DIR` in them become those folders.

    Raises
    ------
    Invalid
        The entry point is of a kind that nothing here can run.
    """
    parts = [_head(task_id, name), _CLAIM, _places(spec, config)]
    parts.append(_exports(config.environment))
    parts.append(_exports(tracking or {}, places=True))
    parts.append(_exports(spec.environment))
    if spec.modules:
        parts.append(_MODULES)
        parts += [f'module load {module} || fail "the module {module} cannot be loaded"\n' for module in spec.modules]
    if config.setup:
        parts.append(_setup(config.setup))
    parts.append('cd "$ATOLL_TASK_DIR/program" || fail "the task\'s folder has no program"\n')
    parts.append(find_image(spec, config))
    if spec.image is not None and config.containers == "none":
        told = f"atoll: {config.name} runs no containers; the image {spec.image} is not used"
        parts.append(f"echo {shlex.quote(told)} >&2\n")
    unused = left_out(spec) if spec.command is None else ()
    if unused:
        parts.append(f"echo {shlex.quote('atoll: means nothing on one machine: ' + ', '.join(unused))} >&2\n")
    # exec, so that a signal reaches the program.
    line = (wrapper(spec, config, name=name), _words(command(spec, config)))
    parts.append(f"exec {' '.join(filter(None, line))} </dev/null\n")
    return "".join(parts)


def command(spec: TaskSpec, config: ClusterConfig) -> tuple[str, ...]:
    """The program and its arguments, as run in the program's folder.

    Raises
    ------
    Invalid
        The entry point is of a kind that nothing here can run.
    """
    # A path of this machine means nothing within an image.
    python = "python3" if is_wrapped(spec, config) and spec.image else config.python
    more = arguments(spec.parameters) if spec.as_arguments else ()
    if spec.command is not None:
        return (*spec.command, *more)
    if spec.spark is not None:
        return submit_words(spec, config, python=python, more=more)
    if spec.entry_point.endswith(".py"):
        return (python, "-u", spec.entry_point, *more)
    if spec.entry_point.endswith(".sh"):
        return ("sh", spec.entry_point, *more)
    raise Invalid.field("entry_point", "ends in .py or .sh; for anything else send command", spec.entry_point)


def arguments(parameters: Mapping[str, Scalar]) -> tuple[str, ...]:
    """`--name=value` for each; text as it is, anything else as JSON writes it (`true`, `0.1`)."""
    return tuple(
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in parameters.items()
    )


def params_json(spec: TaskSpec) -> bytes:
    """What `params.json` holds: the parameters, as one flat object."""
    return json.dumps(dict(spec.parameters), ensure_ascii=False, indent=1).encode()


def dataset_file(spec: TaskSpec) -> str | None:
    """Where in the task's folder a copy of its data set lies, if the cluster does not mount the share."""
    return None if spec.dataset is None else f"{DATASETS}/{spec.dataset}.csv"


def _head(task_id: str, name: str) -> str:
    return f"""\
#!/bin/sh
fail() {{
  printf 'atoll: %s\\n' "$1" >&2
  exit {NOT_BEGUN}
}}
ATOLL_TASK_DIR=$(CDPATH='' cd -- "${{ATOLL_TASK_DIR:-$(dirname -- "$0")}}" && pwd -P) || fail "its folder is gone"
ATOLL_TASK_ID={shlex.quote(task_id)}
ATOLL_TASK_NAME={shlex.quote(name)}
export ATOLL_TASK_DIR ATOLL_TASK_ID ATOLL_TASK_NAME
"""


def _places(spec: TaskSpec, config: ClusterConfig) -> str:
    if spec.dataset is None:
        dataset = "unset ATOLL_DATASET\n"
    elif config.share:
        path = f"{config.share.rstrip('/')}/datasets/{spec.dataset}.csv"
        dataset = f"export ATOLL_DATASET={shlex.quote(path)}\n"
    else:
        dataset = f'export ATOLL_DATASET="$ATOLL_TASK_DIR"/{shlex.quote(str(dataset_file(spec)))}\n'
    return f"""\
export ATOLL_PARAMS="$ATOLL_TASK_DIR/{PARAMS}"
export ATOLL_INPUT_DIR="$ATOLL_TASK_DIR/{INPUTS}"
export ATOLL_OUTPUT_DIR="$ATOLL_TASK_DIR/{OUTPUT}"
if [ -n "${{ATOLL_ARRAY_INDEX:-}}" ]; then export ATOLL_ARRAY_INDEX; else unset ATOLL_ARRAY_INDEX; fi
{dataset}mkdir -p "$ATOLL_OUTPUT_DIR" "$ATOLL_INPUT_DIR" || fail "the task's folder cannot be written to"
"""


def _exports(variables: Mapping[str, str], *, places: bool = False) -> str:
    quote = _quote_but_places if places else shlex.quote
    return "".join(f"export {name}={quote(value)}\n" for name, value in variables.items())


def _quote_but_places(value: str) -> str:
    pieces = _PLACE.split(value)
    # Text and names of variables in turn.
    return "".join(
        f'"${piece}"' if index % 2 else shlex.quote(piece) for index, piece in enumerate(pieces) if piece or index == 0
    )


def _setup(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    return f"""\
trap 'fail "the set-up of the cluster failed"' EXIT
set -e
{text}
set +e
trap - EXIT
"""


def _words(words: Sequence[str]) -> str:
    return " ".join(map(shlex.quote, words))
