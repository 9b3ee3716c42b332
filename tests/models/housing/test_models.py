"""The models themselves: equal to scikit-learn's, honest about their error, explained."""

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import Invalid, ModelUnavailable
from models.housing.artefact import BOX, CARD, SVR, TREES, read
from models.housing.districts import read as read_districts
from models.housing.features import FEATURES, TARGET
from models.housing.fitting import TEST_SHARE, Part, fast_svr, fit_boosted, fit_svr, measured, split
from models.housing.shapley import shapley
from models.housing.training import develop

Floats = NDArray[np.float64]

SHARED = Path(__file__).parents[4] / "shared" / "data" / "housing" / "california_housing.csv.gz"
VALUES = {"C": 10.0, "gamma": 0.1, "epsilon": 0.1}


@pytest.fixture(scope="module")
def part() -> Part:
    """Made-up districts whose prices follow a curve, with some figures missing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 8)) * [2, 12, 2, 0.3, 900, 3, 2, 2] + [4, 28, 5, 1, 1400, 3, 35, -119]
    y = np.sin(x[:, 0]) + 0.1 * x[:, 6] + rng.normal(scale=0.2, size=600)
    x[rng.random(x.shape) < 0.01] = np.nan
    return Part(x, y)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 64])
def test_the_fast_regression_equals_that_of_scikit_learn(part: Part, n: int) -> None:
    pipeline = fit_svr(part, VALUES)
    rows = part.x[:n]
    np.testing.assert_allclose(fast_svr(pipeline).predict(rows), pipeline.predict(rows), rtol=0, atol=1e-9)


def test_far_away_rows_equal_too(part: Part) -> None:
    pipeline = fit_svr(part, VALUES)
    rows = np.concatenate([np.zeros((1, 8)), np.full((1, 8), 1e9), part.x[:1] * 1e4])
    rows = np.nan_to_num(rows)
    np.testing.assert_allclose(fast_svr(pipeline).predict(rows), pipeline.predict(rows), rtol=0, atol=1e-6)


def test_the_graph_of_the_trees_equals_scikit_learn(part: Part) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    from models.housing.boosted import BoostedTrees
    from models.housing.boosted_graph import write_graph

    with threadpool_limits(1):
        trees = [
            HistGradientBoostingRegressor(max_iter=20, random_state=seed).fit(part.x, part.y) for seed in (0, 1, 2)
        ]
    found = BoostedTrees(write_graph(trees, 8), 0.0).predict(part.x)
    np.testing.assert_allclose(found[:, 0], trees[0].predict(part.x), rtol=1e-6)


def test_an_interval_holds_its_expected_value(part: Part) -> None:
    expected, lower, upper = fit_boosted(part, seed=0).predict(part.x).T
    assert (lower <= expected).all()
    assert (expected <= upper).all()


def test_the_same_seed_gives_the_same_models(part: Part) -> None:
    one, other = (develop(part, VALUES, 3, "digest") for _ in range(2))
    assert one.files()[TREES] == other.files()[TREES]
    np.testing.assert_array_equal(one.svr.predict(part.x), other.svr.predict(part.x))
    assert one.card == other.card


def test_what_is_written_is_read_again(part: Part, tmp_path: Path) -> None:
    made = develop(part, VALUES, 0, "digest")
    for name, content in made.files().items():
        (tmp_path / name).write_bytes(content)
    found = read(in_folder(tmp_path))
    np.testing.assert_array_equal(found.svr.predict(part.x), made.svr.predict(part.x))
    np.testing.assert_array_equal(found.boosted.predict(part.x), made.boosted.predict(part.x))
    assert found.card["figures"] == made.card["figures"]


@pytest.mark.parametrize("name", [SVR, TREES, CARD])
@pytest.mark.parametrize("fault", ["missing", "truncated", "foreign"])
def test_a_folder_with_a_bad_file_is_refused_by_its_name(tmp_path: Path, name: str, fault: str) -> None:
    for file in (SVR, TREES, CARD):
        (tmp_path / file).write_bytes((BOX / file).read_bytes())
    if fault == "missing":
        (tmp_path / name).unlink()
    elif fault == "foreign":
        (tmp_path / name).write_bytes(pickle.dumps({"weights": [0.5] * 1000}))
    else:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelUnavailable, match=name):
        read(in_folder(tmp_path)).boosted.predict(np.zeros((1, 8)))


def test_contributions_add_up_to_the_prediction() -> None:
    def predict(rows: Floats) -> Floats:
        return rows[:, 0] * rows[:, 1] + 3 * rows[:, 2]

    background = np.random.default_rng(0).normal(size=(16, 3))
    row = np.array([1.0, 2.0, -1.0])
    base, contributions = shapley(predict, row, background)
    assert base + contributions.sum() == pytest.approx(float(predict(row[None])[0]))
    # What enters by itself is its own difference from the others.
    assert contributions[2] == pytest.approx(3 * (-1.0 - background[:, 2].mean()))


def test_figures_that_are_alike_share_alike() -> None:
    _, contributions = shapley(lambda rows: rows.sum(axis=1) ** 2, np.array([1.0, 1.0]), np.zeros((1, 2)))
    assert contributions.tolist() == [2.0, 2.0]


def in_folder(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in (SVR, TREES, CARD)}


def packed(text: str) -> bytes:
    # The time would be part of the name of a test, which has to be the same in every process.
    return gzip.compress(text.encode(), mtime=0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no gzip", "california_housing"),
        (packed("a,b\n1,2\n"), "Usecols"),
        (packed(",".join([*FEATURES, TARGET]) + "\n" + ",".join(["x"] * 9)), "california_housing"),
        (packed(",".join([*FEATURES, TARGET]) + "\n" + "1," * 8 + "\n"), "line 2: MedHouseVal is missing"),
        (packed(",".join([*FEATURES, TARGET]) + "\n" + "1,1,1,1,1,1,1,1,1\n" * 5), "has 5 districts"),
    ],
)
def test_a_file_that_cannot_be_learned_from_says_why(content: bytes, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read_districts(content)


def test_the_models_in_the_box_are_small_and_as_good_as_their_card_says() -> None:
    assert sum((BOX / name).stat().st_size for name in (SVR, TREES, CARD)) <= 2_000_000
    found = read(in_folder(BOX))
    if not SHARED.is_file():
        pytest.skip("the California housing data are absent: ../shared/data/housing")
    whole = read_districts(SHARED.read_bytes())
    _, test = split(whole, TEST_SHARE, found.card["seed"])
    figures = measured(found.svr, found.boosted, test)
    assert figures == pytest.approx(found.card["figures"], rel=1e-6)
    assert figures["svr_r2"] >= 0.747
    assert figures["boosted_r2"] > figures["svr_r2"]
    assert 0.87 <= figures["coverage"] <= 0.93
