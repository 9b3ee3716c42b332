"""What stands before a task's command in `run.sh`, so that it runs within a container. Pure.

The task's folder lies within the container where it lies outside, so that its paths hold in both.
"""

import shlex
from collections.abc import Mapping

from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec

_DIR = '"$ATOLL_TASK_DIR"'
_PROGRAM = '"$ATOLL_TASK_DIR/program"'
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "singularity": (".sif", ".simg", ".img"),
    "apptainer": (".sif", ".img"),
    "charliecloud": (".sqfs", ".squashfs"),
}


def is_wrapped(spec: TaskSpec, config: ClusterConfig) -> bool:
    """Whether the command is run within a container; bubblewrap needs no image for one."""
    if config.containers == "bubblewrap":
        return True
    return spec.image is not None and config.containers not in ("none", "native")


def container_name(name: str, index: int | None = None) -> str:
    """What podman calls the container of a submission, or of one element of it."""
    return name if index is None else f"{name}-{index}"


def find_image(spec: TaskSpec, config: ClusterConfig) -> str:
    """Shell text that sets `image` to what the task's image is on the cluster, or ends run.sh; empty without images.

    A name means a file or folder in `images`, whatever its suffix; a path or URL stays as it is.
    """
    if spec.image is None or not is_wrapped(spec, config):
        return ""
    if config.images is None or config.containers == "podman" or "://" in spec.image:
        return f"image={shlex.quote(spec.image)}\n"
    place = shlex.quote(f"{config.images.rstrip('/')}/{spec.image}")
    suffixes = " ".join(_SUFFIXES.get(config.containers, ()))
    return f"""\
image={place}
for suffix in {suffixes}; do
  if [ -e "$image" ]; then break; fi
  if [ -e {place}"$suffix" ]; then image={place}$suffix; fi
done
[ -e "$image" ] || fail "there is no image $image"
"""


def wrapper(spec: TaskSpec, config: ClusterConfig, *, name: str) -> str:
    """Shell text that precedes the command, after `find_image`; empty where it runs without a container."""
    if not is_wrapped(spec, config):
        return ""
    if config.containers == "podman":
        return _podman(spec, config, name)
    if config.containers == "bubblewrap":
        return _bubblewrap(spec, config)
    binds = [_DIR, *([shlex.quote(config.share)] if config.share else [])]
    if config.containers == "charliecloud":
        # Without --unset-env, the environment goes with it.
        bind = " ".join(f"--bind={place}" for place in binds)
        return f'ch-run {bind} --cd={_PROGRAM} "$image" --'
    gpus = " --nv" if spec.gpus else ""
    bind = " ".join(f"--bind {place}" for place in binds)
    return f'{config.containers} exec{gpus} {bind} --pwd {_PROGRAM} "$image"'


def _podman(spec: TaskSpec, config: ClusterConfig, name: str) -> str:
    words = [
        # An image that is not there is not fetched: its name comes from a user.
        "podman run --replace --pull=never --log-driver=none",
        f'--name {shlex.quote(name)}"${{ATOLL_ARRAY_INDEX:+-$ATOLL_ARRAY_INDEX}}"',
        f"--network={'host' if config.network else 'none'}",
        f"--volume {_DIR}:{_DIR} --workdir {_PROGRAM}",
        f"--env HOME={_DIR} --env 'ATOLL_*' --env 'MLFLOW_*'",
    ]
    words += [f"--env {variable}" for variable in {**config.environment, **spec.environment}]
    if config.share:
        words.append(f"--volume {shlex.quote(config.share)}:{shlex.quote(config.share)}:ro")
    if spec.memory_bytes is not None:
        words.append(f"--memory={spec.memory_bytes}b --memory-swap={spec.memory_bytes}b")
    if spec.cpus is not None:
        words.append(f"--cpus={spec.cpus}")
    return " ".join([*words, '"$image"'])


def _bubblewrap(spec: TaskSpec, config: ClusterConfig) -> str:
    root = "/" if spec.image is None else '"$image"'
    words = [f"bwrap --die-with-parent --new-session --unshare-pid --unshare-ipc --ro-bind {root} / --dev /dev"]
    words.append("--proc /proc --tmpfs /tmp")
    words += [f"--tmpfs {shlex.quote(folder)}" for folder in config.hidden]
    if spec.image is None and config.python.endswith(("/bin/python", "/bin/python3")):
        # Its environment may lie where the program sees nothing else.
        place = shlex.quote(config.python.rpartition("/bin/")[0] or "/")
        words.append(f"--ro-bind {place} {place}")
    if config.share:
        words.append(f"--ro-bind {shlex.quote(config.share)} {shlex.quote(config.share)}")
    if not config.network:
        words.append("--unshare-net")
    return " ".join([*words, f"--bind {_DIR} {_DIR} --chdir {_PROGRAM} --"])
