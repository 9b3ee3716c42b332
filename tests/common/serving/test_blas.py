import json
import os
import subprocess
import sys

import pytest

REPORT = """
import json
from threadpoolctl import threadpool_info
print(json.dumps([found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]))
"""
CLUSTER = """
import numpy as np
from models._clustering import Rows, choose
numbers = np.random.default_rng(1).normal(size=(40, 3))
choose(Rows.of_numbers(numbers, np.ones_like(numbers)), range(2, 4))
"""
LIMIT = "from common.serving.blas import one_blas_thread; one_blas_thread()"


def threads_after(*code: str) -> list[int]:
    """Threads of each BLAS that is loaded, in a new process with four threads to use, after it ran this."""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "4", "MKL_NUM_THREADS": "4", "BLIS_NUM_THREADS": "4"}
    run = subprocess.run(
        [sys.executable, "-c", "\n".join([*code, REPORT])], env=env, capture_output=True, text=True, check=True
    )
    found: list[int] = json.loads(run.stdout)
    return found


def test_linear_algebra_takes_several_threads_unless_it_is_told() -> None:
    # Of OpenBLAS no more than there are cores.
    assert threads_after("import numpy") == [min(4, len(os.sched_getaffinity(0)))]


@pytest.mark.parametrize("before", ["", "import scipy.linalg"])
def test_clustering_keeps_to_one_thread(before: str) -> None:
    assert set(threads_after(before, CLUSTER)) == {1}


def test_a_library_that_is_loaded_later_is_told_too() -> None:
    assert threads_after("import numpy", LIMIT, "import scipy.linalg", LIMIT) == [1, 1]
