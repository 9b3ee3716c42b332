"""Synthetic tables of countries for the engine's tests."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from models.imputation.engine import Imputation, Level1Memory, Scheme, Spec, impute
from models.imputation.spec import Floats, Indicators, Mask

YEAR = 2010
REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "indicators"


@dataclass
class Table:
    """An in-memory data set; indicator 0 is the usual target."""

    values: Floats
    sids: Mask
    digest: str = "table"
    units: tuple[str, ...] = ()
    base_codes: tuple[str, ...] = ()
    countries: tuple[str, ...] = field(init=False)
    indicators: tuple[str, ...] = field(init=False)
    years: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        n_years, n_countries, n_indicators = self.values.shape
        self.years = tuple(YEAR - n_years // 2 + i for i in range(n_years))
        self.countries = tuple(f"C{i:02}" for i in range(n_countries))
        self.indicators = tuple(f"x-{i}" for i in range(n_indicators))
        self.units = self.units or ("index",) * n_indicators
        self.base_codes = self.base_codes or self.indicators

    @property
    def now(self) -> Floats:
        """The (n_countries, n_indicators) view of `YEAR`, writable."""
        view: Floats = self.values[self.years.index(YEAR)]
        return view


def make(
    seed: int = 0,
    n_countries: int = 60,
    n_indicators: int = 12,
    n_years: int = 9,
    missing: float = 0.1,
    noise: float = 0.3,
    hidden: int = 8,
    cold: bool = False,
) -> Table:
    """Countries with three latent traits that drift slowly; every indicator mixes them.

    The target (indicator 0) is missing in the first `hidden` small island states in `YEAR`; in all years if `cold`.
    """
    rng = np.random.default_rng(seed)
    traits = rng.normal(size=(1, n_countries, 3)) + 0.1 * rng.normal(size=(n_years, n_countries, 3)).cumsum(axis=0)
    mix = rng.normal(size=(3, n_indicators))
    values = 20 + 5 * (traits @ mix + noise * rng.normal(size=(n_years, n_countries, n_indicators)))
    gaps = rng.random(values.shape) < missing
    gaps[:, :, 0] = False
    values[gaps] = np.nan
    sids = np.arange(n_countries) < n_countries // 2
    table = Table(values, sids, digest=f"made-{seed}-{n_countries}-{hidden}-{cold}")
    table.now[:hidden, 0] = np.nan
    if cold:
        table.values[:, :hidden, 0] = np.nan
    return table


def ask(table: Indicators, **changes: object) -> Imputation:
    """Answer about indicator 0 in `YEAR` from indicators 1 to 3, unless told otherwise."""
    asked: dict[str, object] = {"target": 0, "year": YEAR, "scheme": Scheme.MANUAL, "predictors": (1, 2, 3)} | changes
    return impute(table, Spec(**asked), Level1Memory())  # type: ignore[arg-type]


def real(name: str) -> Indicators:
    """A real data set, or a skip where it is not at hand."""
    if not (REAL / name).is_dir():
        pytest.skip(f"the real data set {name} is not at ../shared/data")
    from models._indicators import load

    # What is mapped into memory stays when its file is gone.
    with tempfile.TemporaryDirectory() as cache:
        data: Indicators = load(REAL / name, Path(cache))
    return data
