"""Run times of Spark jobs, and how many executors meet a deadline.

Runs are recorded job by job (`/scaleout/applications`, and the listener's `/training` and `/prediction`); models learn
from them; `/scaleout/predict` tells what a run would take, and the listener is told how many executors to ask for.
"""

from common.http.framework_shape import framework_error
from common.plugins import OldPrefix, Plugin
from models.scaleout import old_routes, space
from models.scaleout.routes import router
from models.scaleout.serving import serve
from models.scaleout.training import ScaleoutTraining, check_train, train


def _load() -> None:
    # The first request shall not wait for it.
    import models.scaleout.decide
    import models.scaleout.learning.context
    import models.scaleout.store  # noqa: F401


plugin = Plugin(
    title="Scale-out of Spark jobs",
    load=_load,
    serve_version=serve,
    prefixes=[OldPrefix(path, framework_error, router) for path, router in old_routes.ROUTERS.items()],
    train=train,
    train_request=ScaleoutTraining,
    check_train=check_train,
    space=space,
    worker="train",
    scopes={
        # What is learned from changes with these.
        "POST /applications": "train",
        "DELETE /applications/{execution_id}": "train",
        "POST /trigger_model_training": "train",
        "POST /submit": "submit",
    },
    cli={
        "scaleout demo": "models.scaleout.demo.command:demo",
        "scaleout import": "models.scaleout.cli_import:import_",
    },
    panels=("what-if.js", "applications.js", "question.js", "curve.js", "timeline.js"),
    examples={"gbt": {"algorithm": "gbt", "data_size_mb": 1000, "max_scale_out": 8, "target_s": 600}},
)

__all__ = ["plugin", "router"]
