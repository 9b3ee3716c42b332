"""Prediction requests drawn, with a seed, from what the API itself offers."""

import json
import random
from typing import Any
from urllib.parse import urlencode

from benchmarks.client import PREDICT, Client, Reply
from benchmarks.report import NotMeasured

MAIN_YEAR = "2001"
# Of all requests; the others go to two more years.
MAIN_SHARE = 0.8

# What the replaced system was measured with.
REFERENCE = {"target": "key-wdi-EG.ELC.ACCS.ZS", "predictor": "wdi-AG.LND.AGRI.K2"}

Body = dict[str, Any]


class Unsuitable(NotMeasured):
    """The server does not offer what is needed to ask."""


class Questions:
    """Draws distinct (year, target, predictor); each target once before any comes again."""

    def __init__(self, client: Client, seed: int = 7) -> None:
        self._random = random.Random(seed)
        years = _get(client, "/imputation/target_years")
        if MAIN_YEAR not in years:
            raise Unsuitable(f"{MAIN_YEAR} is not among the years offered")
        others = self._random.sample([year for year in years if year != MAIN_YEAR], k=min(2, len(years) - 1))
        self.years = [MAIN_YEAR, *others]
        self._targets = {year: self._offered(client, year) for year in self.years}
        self._predictors = {
            year: sorted(
                _post(client, "/imputation/predictors", target_year=year, target=targets[0], scheme="MANUAL")
                | {targets[0]: ""}
            )
            for year, targets in self._targets.items()
        }
        self._turn = dict.fromkeys(self.years, 0)
        self._drawn: set[tuple[str, str, str]] = set()

    def _offered(self, client: Client, year: str) -> list[str]:
        found = sorted(
            target
            for dataset in _get(client, "/imputation/datasets", target_year=year)
            for target in _get(client, "/imputation/targets", target_year=year, dataset=dataset)
        )
        if not found:
            raise Unsuitable(f"no targets are offered for {year}")
        self._random.shuffle(found)
        return found

    def _draw(self) -> tuple[str, str, str]:
        while True:
            main = self._random.random() < MAIN_SHARE or len(self.years) == 1
            year = MAIN_YEAR if main else self._random.choice(self.years[1:])
            targets = self._targets[year]
            target = targets[self._turn[year] % len(targets)]
            self._turn[year] += 1
            # The first target was added to the predictors unasked: it may not be one.
            predictor = self._random.choice(self._predictors[year])
            triple = (year, target, predictor)
            if predictor not in (target, targets[0]) and triple not in self._drawn:
                self._drawn.add(triple)
                return triple

    def manual(self, **changes: Any) -> Body:
        """The first type: one predictor, ten trees."""
        year, target, predictor = self._draw()
        return manual(year, target, predictor) | changes

    def chosen(self, **changes: Any) -> Body:
        """The second type: ten predictors chosen among all, a hundred trees."""
        year, target, _ = self._draw()
        return chosen(year, target) | changes

    def has_reference(self) -> bool:
        known = REFERENCE["target"] in self._targets[MAIN_YEAR]
        return known and REFERENCE["predictor"] in self._predictors[MAIN_YEAR]

    def warm(self, client: Client, interpolator: str = "KNNImputer") -> None:
        """Once for each year: level 1, and what a process imports with its first prediction."""
        for year in self.years:
            # A target may not be answerable with a predictor; what is to be warm is warm all the same.
            targets, predictors = self._targets[year], self._predictors[year]
            body = manual(year, targets[-1], next(code for code in predictors if code not in (targets[0], targets[-1])))
            ask(client, body | {"interpolator": interpolator}, fresh=True)


def manual(year: str, target: str, predictor: str) -> Body:
    return _body(year, target, "MANUAL", 10) | {"manual_predictors": [predictor]}


def chosen(year: str, target: str) -> Body:
    return _body(year, target, "AFS", 100) | {"number_predictor": 10}


def _body(year: str, target: str, scheme: str, estimators: int) -> Body:
    return {
        "target_year": year,
        "target": target,
        "interpolator": "KNNImputer",
        "scheme": scheme,
        "estimators": estimators,
        "model": "rfr",
        "interval": "quantile",
    }


def encode(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def ask(client: Client, body: Body, *, fresh: bool = False) -> Reply:
    return client.post(PREDICT, encode(body), fresh=fresh)


def _get(client: Client, path: str, **query: str) -> Any:
    reply = client.get(f"{path}?{urlencode(query)}" if query else path)
    if reply.status != 200:
        raise Unsuitable(f"GET {path} answered {reply.status}: {reply.body[:300]!r}")
    return reply.json()


def _post(client: Client, path: str, **body: Any) -> dict[str, str]:
    reply = client.post(path, encode(body))
    if reply.status != 200:
        raise Unsuitable(f"POST {path} answered {reply.status}: {reply.body[:300]!r}")
    found: dict[str, str] = reply.json()
    return found
