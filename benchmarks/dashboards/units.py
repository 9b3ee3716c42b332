"""Values as people read them, by the units that Grafana's panels name, and the lines of an axis."""

import math

_BELOW = ((1e-6, 1e9, "n"), (1e-3, 1e6, "µ"), (1.0, 1e3, "m"))
_ABOVE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_RATES = ("reqps", "ops")


def shown(value: float, unit: str) -> str:
    """`0.0125` in `s` is `12.5 ms`; an unknown unit is told as a bare number."""
    if unit == "percentunit":
        return f"{_short(value * 100)}%"
    if unit == "s":
        return _seconds(value)
    scaled, prefix = _scaled(value)
    number = _short(scaled)
    if unit == "bytes":
        return f"{number} {prefix}B"
    if unit in _RATES:
        return f"{number}{prefix}/s"
    return f"{number}{prefix}"


def ticks(highest: float, unit: str) -> list[float]:
    """Three to six places for lines, from 0 to at least `highest`, at steps of 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return [0.0, 1.0]
    if unit == "percentunit" and highest <= 1:
        return [0.0, 0.25, 0.5, 0.75, 1.0] if highest > 0.5 else ticks(highest, "")
    rough = highest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if rough <= factor * power * (1 + 1e-9))
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def _seconds(value: float) -> str:
    if value >= 120:
        return f"{_short(value / 60)} min"
    if value >= 1 or value == 0:
        return f"{_short(value)} s"
    for limit, factor, prefix in _BELOW:
        if value < limit:
            return f"{_short(value * factor)} {prefix}s"
    raise ValueError(f"{value} is no time")


def _scaled(value: float) -> tuple[float, str]:
    return next(((value / size, prefix) for size, prefix in _ABOVE if abs(value) >= size), (value, ""))


def _short(value: float) -> str:
    """Three digits that count, no zeros behind the point, and no powers of ten."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
