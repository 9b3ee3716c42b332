"""Properties as vectors."""

import numpy as np
import pytest

from models.scaleout.graph.encodings import CODE, CODES, WIDTH, Coder, others, properties, vector
from models.scaleout.records import Context, Stage

RNG = np.random.default_rng(0)
CODER = Coder(
    {
        "coder_first": RNG.normal(size=(WIDTH, 8)).astype(np.float32),
        "coder_first_bias": np.zeros(8, np.float32),
        "coder_second": RNG.normal(size=(8, CODE)).astype(np.float32),
        "coder_second_bias": np.zeros(CODE, np.float32),
    }
)


def test_texts_that_are_alike_are_nearer_than_others() -> None:
    near = np.linalg.norm(vector("collect at KMeans.scala:10") - vector("collect at KMeans.scala:11"))
    assert near < np.linalg.norm(vector("collect at KMeans.scala:10") - vector("treeAggregate at Gradient"))


def test_a_text_is_the_same_vector_in_every_process() -> None:
    assert np.flatnonzero(vector("ab")).tolist() == [0, 5, 7, 9, 20, 31]


@pytest.mark.parametrize(("number", "bits"), [(0, 0), (5, 2), (-3, 0), (2**60, WIDTH - 1)])
def test_a_number_is_its_bits_whatever_it_is(number: int, bits: int) -> None:
    assert vector(number).sum() == bits


def test_what_is_not_told_is_left_out() -> None:
    assert others(Context("spark", "gbt")) == ()
    assert others(Context("spark", "gbt", arguments=("fast",), cores=2, memory_mb=float("nan"))) == ("fast", 2)


def test_what_is_another_number_for_each_input_is_not_coded() -> None:
    one, other = (
        Context("spark", "gbt", arguments=(rows, f"/data/{rows}", "fast"), data_size_mb=float(rows))
        for rows in ("100", "900")
    )
    assert others(one) == others(other) == ("fast",)


def test_a_stage_in_its_run_has_codes_of_fixed_length() -> None:
    stage = Stage(1, "read", num_tasks=8)
    for context in (
        Context("spark", "gbt"),
        Context("spark", "gbt", arguments=("x",), data_size_mb=10.0, versions={"spark": "4"}),
    ):
        codes = np.concatenate([CODER.of_context(context), CODER.of_stage(stage)])
        assert codes.shape == (CODES,)
        assert (np.abs(codes) <= 1).all()
    assert properties(Context("spark", "gbt"), [stage]) == {"gbt", "read", 8}
