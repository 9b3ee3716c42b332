"""From a survey to its groups; runs on a thread of the pool, for milliseconds to seconds."""

from typing import Any

import numpy as np

from common.errors import Invalid
from models._clustering import Choice, choose
from models._clustering.rows import Ints
from models.survey.answers import Levels
from models.survey.definitions import DEFAULT_MAX_K, SurveyRequest
from models.survey.questions import read_questions
from models.survey.sheet import Caveat, Sheet, lay_out
from models.survey.table import read_table

SEED = 7
# Below this mean silhouette an answer comes with a caveat.
WEAK = 0.1
_DIGITS = 6


def cluster(body: SurveyRequest) -> dict[str, Any]:
    """The body of `SurveyResponse`.

    Raises
    ------
    Invalid
        The survey cannot be read or has nothing to cluster by.
    TooLarge
        It has too many answers.
    """
    data = read_table(body.data, "data")
    sheet = lay_out(data, read_questions(read_table(body.metadata, "metadata"), body.factor))
    n = len(sheet.rows)
    if n < 2 or (body.max_k or 0) > n:
        message = f"{n} rows can be clustered; send 2 to {n}" if n > 1 else "only one row can be clustered; send more"
        raise Invalid.field("max_k" if n > 1 else "data", message, body.max_k)
    result = choose(sheet.scaled, range(2, (body.max_k or min(DEFAULT_MAX_K, n)) + 1), seed=SEED)
    return _answer(data.n_rows, sheet, result)


def _answer(n_rows: int, sheet: Sheet, result: Choice) -> dict[str, Any]:
    clusters = result.clusters
    labels: list[int | None] = [None] * n_rows
    for row, label in zip(sheet.rows.tolist(), clusters.labels.tolist(), strict=True):
        labels[row] = label
    mean = round(result.silhouette, _DIGITS)
    used = [*sheet.categorical, *sheet.continuous]
    return {
        "cluster_label": labels,
        "k": clusters.k,
        "method": _method(sheet),
        "silhouette": mean,
        "clusters": [_cluster(sheet, result, label) for label in range(clusters.k)],
        "tried": [{"k": k, "silhouette": round(value, _DIGITS), "cost": cost} for k, value, cost in result.tried],
        "questions": used,
        "left_out": [{"question": name, "reason": reason} for name, reason in sheet.left_out.items()],
        "caveats": [
            {"code": caveat.code, "message": caveat.message, "rows": caveat.rows}
            for caveat in (*sheet.caveats, *_caveats(result, mean))
        ],
    }


def _method(sheet: Sheet) -> str:
    if sheet.categorical and sheet.continuous:
        return "k-prototypes"
    return "k-modes" if sheet.categorical else "k-means"


def _caveats(result: Choice, mean: float) -> list[Caveat]:
    found = []
    if mean < WEAK:
        message = f"The mean silhouette is {mean:.2f}: the clusters are hardly apart; there may be none."
        found.append(Caveat("weak_structure", message))
    if result.sampled:
        judged = int(np.isfinite(result.silhouettes).sum())
        message = f"The number of clusters was chosen, and silhouettes are, on a random sample of {judged} rows."
        found.append(Caveat("sampled", message, judged))
    return found


def _cluster(sheet: Sheet, result: Choice, label: int) -> dict[str, Any]:
    members = np.flatnonzero(result.clusters.labels == label)
    judged = result.silhouettes[members]
    judged = judged[np.isfinite(judged)]
    # A row that answered little is near to everything.
    answers = (sheet.scaled.codes >= 0).sum(axis=1) + sheet.scaled.seen.sum(axis=1)
    known = members[answers[members] >= np.median(answers[members])]
    nearest = known[np.round(result.clusters.distance[known] / answers[known], _DIGITS).argmin()]
    profile = [_habit(name, levels, members) for name, levels in sheet.categorical.items()]
    profile += [_level(name, values, members) for name, values in sheet.continuous.items()]
    told = [trait for trait in profile if trait is not None]
    return {
        "label": label,
        "size": len(members),
        "share": round(len(members) / len(sheet.rows), _DIGITS),
        "silhouette": round(float(judged.mean()), _DIGITS) if len(judged) else None,
        "typical_row": int(sheet.rows[nearest]),
        "profile": sorted(told, key=lambda trait: -abs(trait["distinct"])),
    }


def _habit(name: str, levels: Levels, members: Ints) -> dict[str, Any] | None:
    """The most frequent answer to a categorical question; None where no member answered."""
    here = np.bincount(levels.codes[members] + 1, minlength=len(levels.levels) + 1)[1:]
    if not here.any():
        return None
    overall = np.bincount(levels.codes + 1, minlength=len(levels.levels) + 1)[1:]
    most = int(here.argmax())
    share, share_overall = here[most] / here.sum(), overall[most] / overall.sum()
    return {
        "question": name,
        "type": "categorical",
        "typical": levels.levels[most],
        "share": round(float(share), _DIGITS),
        "share_overall": round(float(share_overall), _DIGITS),
        "mean_overall": None,
        "distinct": round(float(share - share_overall), _DIGITS),
    }


def _level(name: str, values: np.ndarray, members: Ints) -> dict[str, Any] | None:
    """The mean of a continuous question; None where no member answered."""
    here, overall = values[members], values[np.isfinite(values)]
    here = here[np.isfinite(here)]
    if not len(here):
        return None
    # By the largest size first, or sums of very large numbers would overflow.
    size = float(np.abs(overall).max())
    mean, mean_overall, spread = ((part / size) for part in (here, overall, overall))
    middle, middle_overall = float(mean.mean()), float(mean_overall.mean())
    return {
        "question": name,
        "type": "continuous",
        "typical": middle * size,
        "share": None,
        "share_overall": None,
        "mean_overall": middle_overall * size,
        "distinct": round((middle - middle_overall) / float(spread.std()), _DIGITS),
    }
