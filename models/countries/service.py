"""From a checked question to the answer that clients know; runs on a thread of the pool, for milliseconds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from common.errors import Invalid
from models._clustering import Choice, Rows, choose
from models._clustering.rows import Floats, Ints
from models._indicators import IndicatorSet
from models.countries import choices
from models.countries.correlation import correlate, default_min_shared
from models.countries.definitions import CountryClusterRequest, CountryRequest, ProfileRequest
from models.countries.profiles import Profiles, profiles

SEED = 7
AUTO = range(2, 11)
_STARTS = 20
_TRAITS = 5
_DIGITS = 6
# Below these an answer comes with a caveat.
WEAK = 0.1
FEW_OBSERVED = 0.25


@dataclass(frozen=True)
class Asked:
    """A checked `ProfileRequest`: indices of indicators, and the year."""

    dataset: str
    category: str
    columns: Ints
    year: int


def check(data: IndicatorSet, body: ProfileRequest) -> Asked:
    """Raises `Invalid` for what the data set does not have."""
    dataset = choices.check_dataset(data, body.dataset)
    category = choices.check_category(data, dataset, body.category)
    year = choices.check_year(data, dataset, category, str(body.year))
    return Asked(dataset, category, choices.columns(data, dataset, category), year)


def correlations(data: IndicatorSet, body: CountryRequest) -> dict[str, Any]:
    """The body of `CountryResponse`."""
    asked = check(data, body)
    country = choices.check_country(data, asked.dataset, asked.category, asked.year, body.country)
    if body.sids_only and not data.sids[country]:
        raise Invalid.field("country", "no small island state; send another, or sids_only false", body.country)
    found = _varying(data, asked, body)
    if country not in found.rows:
        raise Invalid.field(
            "country", "all indicators that it has are the same in every country; send another category", body.country
        )
    at = int(np.searchsorted(found.rows, country))
    own = found.seen[at] > 0
    if own.sum() < (body.min_shared or 0):
        raise Invalid.field(
            "min_shared",
            f"{body.country} has {int(own.sum())} indicators itself; ask for at most so many",
            body.min_shared,
        )
    min_shared = body.min_shared or default_min_shared(int(own.sum()))
    result = correlate(found.z, found.seen, at, min_shared)
    if not len(result.order):
        raise Invalid.field(
            "category",
            f"no other country shares {min_shared} indicators with {body.country} in {asked.year}; send another "
            "category or year" + (", or a smaller min_shared" if min_shared > 3 else ""),
            body.category,
        )
    codes = [data.countries[row] for row in found.rows.tolist()]
    rest = [row for row in range(len(codes)) if row != at and not np.isfinite(result.r[row])]
    return {
        "country_corr": {
            "Country Code": [codes[row] for row in result.order.tolist()],
            body.country: result.r[result.order].tolist(),
        },
        "shared_indicators": result.shared[result.order].tolist(),
        "min_shared": min_shared,
        "indicators": [data.indicators[column] for column in found.columns[own].tolist()],
        "left_out": [
            {
                "country": codes[row],
                "shared": int(result.shared[row]),
                "reason": "too few indicators in common"
                if result.shared[row] < min_shared
                else "no variation over the indicators in common",
            }
            for row in rest
        ],
    }


def clusters(data: IndicatorSet, body: CountryClusterRequest) -> dict[str, Any]:
    """The body of `CountryClusterResponse`."""
    asked = check(data, body)
    found = _varying(data, asked, body)
    n = len(found.rows)
    if isinstance(body.k, int) and not 1 <= body.k <= n:
        raise Invalid.field(
            "k", f'{n} countries have these indicators in {asked.year}; send 1 to {n}, or "auto"', body.k
        )
    tried = range(AUTO.start, min(AUTO.stop, n + 1)) if body.k == "auto" else range(int(body.k), int(body.k) + 1)
    result = choose(Rows.of_numbers(found.z, found.seen), tried, seed=SEED, starts=_STARTS)
    return _answer(data, found, result, auto=body.k == "auto")


def _varying(data: IndicatorSet, asked: Asked, body: ProfileRequest) -> Profiles:
    found = profiles(data, asked.columns, asked.year, body.scale, sids_only=body.sids_only)
    if len(found.columns) and len(found.rows) > 1:
        return found
    told = choices.route("years", dataset=asked.dataset, category=asked.category)
    whose = "small island states" if body.sids_only else "countries"
    raise Invalid.field(
        "category",
        f"no indicator of it varies among {whose} in {asked.year}; send another category or year ({told})",
        asked.category,
    )


def _answer(data: IndicatorSet, found: Profiles, result: Choice, *, auto: bool) -> dict[str, Any]:
    labels = result.clusters.labels
    codes = [data.countries[row] for row in found.rows.tolist()]
    observed = found.seen.sum(axis=1).astype(np.int64)
    each = np.round(result.silhouettes, _DIGITS)
    # Sums over fewer indicators are smaller: only per indicator do countries compare.
    per_indicator = result.clusters.distance / observed
    infos = []
    for label in range(result.clusters.k):
        members = np.flatnonzero(labels == label)
        known = members[observed[members] >= np.median(observed[members])]
        nearest = known[np.round(per_indicator[known], _DIGITS).argmin()]
        infos.append(
            {
                "label": label,
                "size": len(members),
                "silhouette": round(float(each[members].mean()), _DIGITS),
                "typical": codes[nearest],
                "traits": _traits(data, found, result.clusters.prototypes.numbers[label], members),
            }
        )
    mean = round(result.silhouette, _DIGITS)
    return {
        "country": codes,
        "label": labels.tolist(),
        "k": result.clusters.k,
        "silhouette": mean,
        "country_silhouette": each.tolist(),
        "observed": observed.tolist(),
        "indicators": [data.indicators[column] for column in found.columns.tolist()],
        "clusters": infos,
        "tried": [{"k": k, "silhouette": round(value, _DIGITS)} for k, value, _ in result.tried] if auto else [],
        "caveats": _caveats(codes, observed, len(found.columns), mean, result.clusters.k),
    }


def _traits(data: IndicatorSet, found: Profiles, middle: Floats, members: Ints) -> list[dict[str, Any]]:
    have = found.seen[members].sum(axis=0)
    # A mean over one country of many tells little of the cluster.
    weight = np.abs(middle) * np.sqrt(have / len(members))
    order = np.argsort(-np.round(weight, _DIGITS), kind="stable")[:_TRAITS]
    return [
        {
            "indicator": data.indicators[found.columns[at]],
            "name": data.names[found.columns[at]],
            "mean_z": round(float(middle[at]), _DIGITS),
            "observed": int(have[at]),
        }
        for at in order.tolist()
        if have[at]
    ]


def _caveats(codes: list[str], observed: Ints, n_indicators: int, mean: float, k: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if k > 1 and mean < WEAK:
        message = f"The mean silhouette is {mean:.2f}: the clusters are hardly apart, other cuts are as good."
        found.append({"country": None, "code": "weak_structure", "message": message})
    for code, count in zip(codes, observed.tolist(), strict=True):
        if count < FEW_OBSERVED * n_indicators:
            message = f"Only {count} of {n_indicators} indicators are observed; its cluster is a guess."
            found.append({"country": code, "code": "few_observed", "message": message})
    return found
