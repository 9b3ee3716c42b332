"""What a program is told about tracking, and what may be asked for. Pure.

MLflow knows no variable for a run's name. What it does take is `MLFLOW_RUN_CONTEXT`: tags, as JSON, for every run that
is started (`mlflow.tracking.context.system_environment_context`); a run is named by the tag `mlflow.runName`.
`MLFLOW_RUN_NAME` is set besides, for programs that read it. From MLflow 3.7 on a folder is refused unless
`MLFLOW_ALLOW_FILE_STORE` says otherwise; earlier ones do not know that variable.
"""

import json
import re
from urllib.parse import quote, urlsplit

from common.errors import Invalid
from common.submission.config import ClusterConfig
from common.submission.spec import TaskSpec, Tracking
from common.submission.tracking.run import NAME_TAG, TAG

# Within the share, so that nobody's experiments lie among Atoll's own files.
FOLDER = "tracking"
# Within the output of a task whose cluster does not mount the share.
COLLECTED = "mlruns"

_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}(?:/[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}){0,7}")
_URL_CHARS = 2000


def is_server(tracking: Tracking) -> bool:
    """Whether a server is meant, and no folder of the share."""
    return tracking.uri.startswith(("http://", "https://"))


def check(tracking: Tracking) -> None:
    """Refuse what nobody could track to.

    Raises
    ------
    Invalid
        Names `tracking_uri`, and says what to send; never shows a password.
    """
    if is_server(tracking):
        fault = _fault_of_url(tracking.uri)
        if fault:
            raise Invalid.field("tracking_uri", fault)
        return
    if "://" in tracking.uri or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", tracking.uri):
        raise Invalid.field(
            "tracking_uri",
            "send the http(s) address of an MLflow server, or the name of a folder such as experiments",
        )
    name = tracking.uri.removeprefix("./").rstrip("/")
    if not _FOLDER_NAME.fullmatch(name) or any(part.endswith((".", " ")) for part in name.split("/")):
        raise Invalid.field(
            "tracking_uri", "send the name of a folder such as experiments or team/experiments", tracking.uri
        )


def folder_of(tracking: Tracking) -> str:
    """Where on the share the runs lie, for a folder that `check` has passed."""
    return f"{FOLDER}/{tracking.uri.removeprefix('./').rstrip('/')}"


def environment(spec: TaskSpec, config: ClusterConfig, name: str) -> dict[str, str]:
    """The variables for a program; none where nothing is tracked.

    Parameters
    ----------
    name : the submission's own; the run's name and the tag that it is found by.

    `$ATOLL_OUTPUT_DIR` in a value stands for the task's output folder, which only the cluster knows.
    """
    if spec.tracking is None:
        return {}
    variables = {
        "MLFLOW_TRACKING_URI": _uri(spec.tracking, config),
        "MLFLOW_EXPERIMENT_NAME": spec.tracking.experiment,
        "MLFLOW_RUN_NAME": name,
        "MLFLOW_RUN_CONTEXT": json.dumps({NAME_TAG: name, TAG: name}),
    }
    if not is_server(spec.tracking):
        variables["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return variables


def _uri(tracking: Tracking, config: ClusterConfig) -> str:
    if is_server(tracking):
        return tracking.uri.rstrip("/")
    if config.share:
        # MLflow reads a path as a URL's.
        return "file:" + quote(f"{config.share.rstrip('/')}/{folder_of(tracking)}")
    return f"$ATOLL_OUTPUT_DIR/{COLLECTED}"


def _fault_of_url(uri: str) -> str | None:
    try:
        parts = urlsplit(uri)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host, parts = False, urlsplit("")
    if not has_host or len(uri) > _URL_CHARS or re.search(r"\s", uri):
        return "is no usable address; send one such as https://mlflow.example.org"
    if parts.username or parts.password:
        return "has a password in it; send MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in environment instead"
    if parts.query or parts.fragment:
        return "has a query; send the address without what begins with ? or #"
    return None
