"""The run of a task, wherever it is tracked. Reading it never fails a task."""

import base64
import logging
import os
from collections.abc import Mapping

from common.errors import AtollError
from common.http.addresses import Allowance
from common.storage.share import Share
from common.submission.spec import Tracking
from common.submission.tracking.environment import COLLECTED, folder_of, is_server
from common.submission.tracking.folder import find_run
from common.submission.tracking.run import TrackedRun

_log = logging.getLogger(__name__)


def read(
    tracking: Tracking | None,
    name: str,
    *,
    share: Share,
    output: str | None = None,
    allow: Allowance = Allowance(),
) -> TrackedRun | None:
    """The run that a submission's program recorded; None where there is none, or none can be read.

    Parameters
    ----------
    name : the submission's own.
    output : the folder on the share with what the task left, once it was collected.
    allow : which servers may be asked beside public ones by https.
    """
    if tracking is None:
        return None
    try:
        if is_server(tracking):
            return _on_server(tracking, name, allow)
        collected = find_run(share, f"{output}/{COLLECTED}", name) if output else None
        return collected or find_run(share, folder_of(tracking), name)
    except (AtollError, OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        # A server's answer and a program's files may be anything.
        _log.warning("the run of %s cannot be read: %s", name, type(exc).__name__)
        return None


def credentials(uri: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What Atoll itself logs in with: only to the server that its own environment names, nowhere else."""
    own = environment.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not own or own != uri.rstrip("/"):
        return {}
    if token := environment.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    user, password = environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD", "")
    if user:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    return {}


def _on_server(tracking: Tracking, name: str, allow: Allowance) -> TrackedRun | None:
    from common.http.outbound import Outbound
    from common.submission.tracking.server import LIMITS, NoAnswer, RunsOnServer

    outbound = Outbound(allow, LIMITS)
    try:
        return RunsOnServer(tracking.uri, outbound, credentials(tracking.uri)).find(tracking.experiment, name)
    except NoAnswer as exc:
        _log.warning("the run of %s cannot be read: %s", name, exc)
        return None
    finally:
        outbound.close()
