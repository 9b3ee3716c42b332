"""Two-level imputation: fills the gaps of a country indicator in one year, with intervals and reasons.

Level 1 fills the predictors, level 2 learns the target from them; `docs/imputation.md` describes the method.
"""

import threading

from common.plugins import OldPrefix, Plugin
from common.serving.blas import one_blas_thread
from models._indicators import source
from models._indicators.fetch import PULLS
from models._indicators.old_errors import old_error
from models.imputation import space
from models.imputation.batch_work import LEAVES
from models.imputation.definitions import TrainRequest
from models.imputation.routes import estimate_body_s, router
from models.imputation.training import check_train, train


def _load() -> None:
    source.load_current()
    import sklearn.tree  # noqa: F401 - the first request shall not wait for it

    # Nor for this, and nobody has to wait for it now: it looks at every library of the process.
    threading.Thread(target=one_blas_thread, name="one-blas-thread", daemon=True).start()


plugin = Plugin(
    load=_load,
    datasets=source.datasets,
    estimate=estimate_body_s,
    prefixes=[OldPrefix("/twolvlImp", old_error)],
    train=train,
    train_request=TrainRequest,
    check_train=check_train,
    space=space,
    pulls=PULLS,
    leaves=LEAVES,
    panels=("panel.js",),
)

__all__ = ["plugin", "router"]
