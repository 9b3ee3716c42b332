"""How many threads linear algebra may use."""

import sys
from functools import lru_cache


def one_blas_thread() -> None:
    """Keep BLAS of this process to one thread; for models to call before they compute, however often.

    On small matrices several threads take longer as soon as anybody else computes (four times as long on two busy
    cores), and the last bit of an answer could depend on their number. Predictions run beside each other already.
    """
    # NumPy and SciPy each bring a BLAS of their own, and only what is loaded can be told.
    _limit("scipy.linalg" in sys.modules)


@lru_cache(maxsize=2)
def _limit(has_scipy: bool) -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")
