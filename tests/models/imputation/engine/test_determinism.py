import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from models.imputation.engine import Interpolator, Interval, Model, Scheme
from tests.models.imputation.engine.tables import ask, make

ROOT = Path(__file__).resolve().parents[4]


def fingerprint() -> str:
    """Of the bits of several answers."""
    digest = hashlib.sha256()
    for interval in Interval:
        for interpolator in (Interpolator.KNNImputer, Interpolator.IterativeImputer):
            answer = ask(
                make(cold=interval is Interval.bootstrap),
                scheme=Scheme.AFS,
                number_predictor=4,
                model=Model.all,
                interval=interval,
                interpolator=interpolator,
                estimators=6,
            )
            for part in (answer.prediction, answer.lower, answer.upper, answer.importances, np.array(answer.rmse)):
                digest.update(part.tobytes())
    return digest.hexdigest()


def _in_a_process(hash_seed: str, threads: str) -> str:
    code = "from tests.models.imputation.engine.test_determinism import fingerprint; print(fingerprint())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "OPENBLAS_NUM_THREADS": threads},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_two_processes_give_the_same_bits_with_any_number_of_threads() -> None:
    assert _in_a_process("1", "1") == _in_a_process("2", "2")


def test_another_seed_gives_another_forest() -> None:
    assert not np.array_equal(ask(make(cold=True), seed=1).prediction, ask(make(cold=True), seed=2).prediction)


def test_asking_does_not_import_sklearn_before_it_is_needed() -> None:
    code = (
        "import sys, models.imputation.spec, models.imputation.engine as e; "
        "assert e.Level1Memory; assert not {'sklearn', 'pandas', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
