"""What each method would have got wrong: on years of this series that are known, and on other countries' series.

A rehearsal hides observed years, fills them from what is left, and keeps the errors. *Own* rehearsals hide parts of the
series itself: in the middle a gap as long as one to be filled, at the ends everything beyond an origin that rolls along
the series. *Lessons* hide in the series of other countries exactly the years that this one misses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.timeseries.interpolation import CONTINUED, curve, least_points
from models.timeseries.scale import expected_steps
from models.timeseries.spec import Course, Floats, Ints, Mask, Method, between
from models.timeseries.statespace import Family, smooth

# What `auto` chooses from, simplest first: with equal errors the first is taken. Splines of other orders, and of
# 2 and 3 under other names, are left out.
Candidate = Method | Family
CANDIDATES: Sequence[Candidate] = (
    Method.linear,
    Family.damped,
    Family.level,
    Family.trend,
    Method.pchip,
    Method.akima,
    Method.quadratic,
    Method.cubicspline,
    Method.nearest,
    Method.zero,
)

MIN_POINTS = 2
# Rehearsals on the series itself, at most.
OWN = 24
# Errors of other countries that are enough, for the middle and for the ends; until then gaps are shifted on, by so many
# years at most. Countries with the same gaps are computed together: so many groups a shift, and in all.
LESSONS = 150
MOST_SHIFT = 6
PATTERNS = 8
MOST_PATTERNS = 20


@dataclass(frozen=True)
class Guess:
    """What the candidates say of m years of k series.

    Attributes:
        by: candidate -> (m, k), NaN where it says nothing.
        spread: (m, k) expected size of an error, positive: the standard deviation of the damped trend.
        inside: (m,) whether the year has an observation on either side; reach: (m,) years to the nearest one.
    """

    by: dict[Candidate, Floats]
    spread: Floats
    inside: Mask
    reach: Ints


@dataclass(frozen=True)
class Errors:
    """Errors of rehearsals.

    Attributes:
        by: candidate -> (e,) value less guess; NaN where it said nothing.
        spread, inside, reach: (e,), see `Guess`.
    """

    by: dict[Candidate, Floats]
    spread: Floats
    inside: Mask
    reach: Ints

    def __len__(self) -> int:
        return len(self.spread)


def guess(years: Ints, values: Floats, asked: Ints, steps: Floats) -> Guess:
    """All candidates' values for `asked`, other years than those observed.

    Args:
        years: (n,) ascending, n at least MIN_POINTS; values: (n, k) of k series; asked: (m,).
        steps: (k,) expected size of the change from one year to the next, positive.
    """
    x, at = years.astype(np.float64), asked.astype(np.float64)
    right = np.searchsorted(years, asked)
    inside = (right > 0) & (right < len(years))
    before = asked - years[np.maximum(right - 1, 0)]
    after = years[np.minimum(right, len(years) - 1)] - asked
    by: dict[Candidate, Floats] = {}
    spread = np.empty((len(asked), values.shape[1]))
    for candidate in CANDIDATES:
        if isinstance(candidate, Family):
            smoothed = smooth(candidate, years, values, asked, steps)
            by[candidate] = smoothed.mean
            if candidate is Family.damped:
                spread = np.maximum(smoothed.sd, 1e-9 * steps)
        elif len(years) >= least_points(candidate, None) and (inside.any() or candidate in CONTINUED):
            by[candidate] = curve(x, values, at, candidate)
        else:
            by[candidate] = np.full(spread.shape, np.nan)
    return Guess(by, spread, inside, np.where(inside, np.minimum(before, after), np.maximum(before, after)))


def rehearse(years: Ints, values: Floats, kept: Mask, hidden: Mask, usual: Floats) -> Errors:
    """Errors in the hidden years, filled from the kept ones alone.

    Args:
        years: (n,); values: (n, k), known where kept or hidden; kept, hidden: (n,); usual: (k,) see `expected_steps`.
    """
    steps = expected_steps(values[kept], years[kept], usual)
    found = guess(years[kept], values[kept], years[hidden], steps)
    k = values.shape[1]
    by = {candidate: (values[hidden] - said).ravel() for candidate, said in found.by.items()}
    return Errors(by, found.spread.ravel(), np.repeat(found.inside, k), np.repeat(found.reach, k))


def join(parts: Sequence[Errors]) -> Errors:
    if not parts:
        return Errors(
            {candidate: np.zeros(0) for candidate in CANDIDATES}, np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64)
        )
    return Errors(
        {candidate: np.concatenate([part.by[candidate] for part in parts]) for candidate in CANDIDATES},
        np.concatenate([part.spread for part in parts]),
        np.concatenate([part.inside for part in parts]),
        np.concatenate([part.reach for part in parts]),
    )


def own(course: Course, asked: Mask, usual: float) -> Errors:
    """Rehearsals on the series itself.

    Args:
        asked: (n,) the missing years to fill; gaps like them are hidden.
    """
    plans = [(kept, hidden) for kept, hidden in _plans(course, asked) if hidden.any()]
    # Evenly over the series rather than the first ones.
    chosen = (
        np.unique(np.linspace(0, len(plans) - 1, OWN).round().astype(int)) if len(plans) > OWN else range(len(plans))
    )
    return join(
        [
            rehearse(course.years, course.values[:, None], kept, hidden, np.array([usual]))
            for kept, hidden in (plans[at] for at in chosen)
        ]
    )


def _plans(course: Course, asked: Mask) -> Iterator[tuple[Mask, Mask]]:
    """What to keep and what to hide, (n,) each."""
    seen, n = course.seen, len(course.years)
    at = np.arange(n)
    inner = asked & between(seen)
    lengths, counts = np.unique(np.array(_runs(inner), dtype=np.int64), return_counts=True)
    for length in lengths[np.argsort(-counts, kind="stable")][:3]:
        for first in range(1, n - int(length)):
            block = (at >= first) & (at < first + length)
            hidden, kept = seen & block & between(seen & ~block), seen & ~block
            if kept.sum() >= MIN_POINTS:
                yield kept, hidden
    places = np.flatnonzero(seen)
    tail, head = int((asked & (at > places[-1])).sum()), int((asked & (at < places[0])).sum())
    # At least to the next observation, or sparse series would have nothing to rehearse.
    for origin, following in zip(places[MIN_POINTS - 1 : -1], places[MIN_POINTS:], strict=True) if tail else ():
        yield seen & (at <= origin), seen & (at > origin) & (at <= max(origin + tail, following))
    for origin, preceding in zip(places[1 : 1 - MIN_POINTS], places[:-MIN_POINTS], strict=True) if head else ():
        yield seen & (at >= origin), seen & (at < origin) & (at >= min(origin - head, preceding))


def _runs(mask: Mask) -> list[int]:
    """Lengths of the stretches of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    lengths: list[int] = (edges[1::2] - edges[::2]).tolist()
    return lengths


def lessons(panel: Floats, years: Ints, country: int, asked: Mask, usual: Floats) -> Errors:
    """Rehearsals on the series of other countries, with the gaps of this one.

    Where the years that this country misses are known of too few others (the last years are missing everywhere), its
    gaps are shifted along the years.

    Args:
        panel: (n_years, n_countries) the indicator; usual: (n_countries,) see `expected_steps`.
    """
    seen = np.isfinite(panel)
    mine = seen[:, country]
    inner = between(mine)
    wanted = [bool((asked & inner).any()), bool((asked & ~inner).any())]
    parts: list[Errors] = []
    counts = [0, 0]
    for shift in sorted(range(-MOST_SHIFT, MOST_SHIFT + 1), key=abs):
        kept = _shifted(mine, shift)[:, None] & seen
        hidden = _shifted(asked, shift)[:, None] & seen
        # Series that do not move where they are kept would teach that there is nothing to err about.
        usable = _moves(panel, kept) & hidden.any(axis=0)
        usable[country] = False
        for rows, group in _patterns(kept, hidden, np.flatnonzero(usable)):
            part = rehearse(years, panel[:, group], kept[:, rows], hidden[:, rows], usual[group])
            parts.append(part)
            counts = [counts[0] + int(part.inside.sum()), counts[1] + int((~part.inside).sum())]
        enough = all(count >= LESSONS for count, asks in zip(counts, wanted, strict=True) if asks)
        if enough or len(parts) >= MOST_PATTERNS:
            break
    return join(parts)


def _moves(panel: Floats, kept: Mask) -> Mask:
    """Which columns have different values where they are kept."""
    low, high = np.where(kept, panel, np.inf).min(axis=0), np.where(kept, panel, -np.inf).max(axis=0)
    moving: Mask = low < high
    return moving


def _patterns(kept: Mask, hidden: Mask, countries: Ints) -> Iterator[tuple[int, Ints]]:
    """The countries by what is kept and hidden of them, the most frequent patterns first: (one of them, all of them).

    They are computed together, which is what makes lessons cheap.
    """
    if not len(countries):
        return
    both = np.vstack([kept[:, countries], hidden[:, countries]])
    _, member, counts = np.unique(both, axis=1, return_inverse=True, return_counts=True)
    told = hidden[:, countries].sum(axis=0)
    worth = np.bincount(member.ravel(), weights=told, minlength=len(counts))
    for pattern in np.argsort(-worth, kind="stable")[:PATTERNS]:
        group = countries[member.ravel() == pattern]
        yield int(group[0]), group


def _shifted(mask: Mask, by: int) -> Mask:
    moved = np.zeros_like(mask)
    if by >= 0:
        moved[by:] = mask[: len(mask) - by]
    else:
        moved[:by] = mask[-by:]
    return moved
