"""How many threads linear algebra may use."""

from functools import lru_cache


@lru_cache(maxsize=1)
def one_blas_thread() -> None:
    """Keep BLAS of this process to one thread.

    The matrices here are small: with several threads they take longer as soon as anybody else computes (four times as
    long on two busy cores), and the last bit of an answer could depend on their number.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")
