"""Pictures of load tests: response times, requests a second and errors over the time of a run.

`python -m benchmarks.response_times RUN --output picture.svg [--title "…"]` reads what any of these has written:

- k6: lines `sample,BEGAN_MS,TOOK_MS,STATUS,NAME`, which the scripts of `deployment/k6` print with `SAMPLES=1`, or the
  file of `k6 run --out csv=FILE`;
- JMeter's results, `jmeter -n -l FILE`, and those of `deployment/locust/load.py` with `SAMPLES=FILE`, which look alike.
"""

import argparse
import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.report import percentile
from benchmarks.svg import svg, text

_SAMPLE = re.compile(r"sample,(\d+),([\d.]+),(\d+),")
_POINTS = 60
_WIDTH, _LEFT, _RIGHT, _HEIGHT = 720, 60, 20, 150
_COLOURS = {"p50": "#1c7ed6", "p99": "#e8590c", "rate": "#2b8a3e", "errors": "#c92a2a"}


@dataclass(frozen=True)
class Sample:
    """One request: when it began (seconds since 1970), how long it took, and whether it was answered as it should."""

    began_s: float
    took_s: float
    good: bool


@dataclass(frozen=True)
class Stretch:
    """Requests that began within one stretch of the run; `at_s` is the stretch's middle, from the run's beginning."""

    at_s: float
    p50_s: float
    p99_s: float
    rate: float
    errors: int


def read(lines: Sequence[str]) -> list[Sample]:
    """The requests of a run, oldest first.

    Raises
    ------
    ValueError : if it is none of the formats above, or has no request.
    """
    header = lines[0].rstrip("\r\n").split(",") if lines else []
    if {"timeStamp", "elapsed", "success"} <= set(header):
        found = _jmeter(csv.DictReader(lines))
    elif {"metric_name", "timestamp", "metric_value"} <= set(header):
        found = _k6_csv(csv.DictReader(lines))
    else:
        found = _k6_lines(lines)
    samples = sorted(found, key=lambda sample: sample.began_s)
    if not samples:
        raise ValueError("there is no request in it; give lines of SAMPLES=1, k6's CSV, or JMeter's")
    return samples


def _jmeter(rows: Iterable[dict[str, str]]) -> Iterator[Sample]:
    for row in rows:
        yield Sample(int(row["timeStamp"]) / 1000, float(row["elapsed"]) / 1000, row["success"].lower() == "true")


def _k6_csv(rows: Iterable[dict[str, str]]) -> Iterator[Sample]:
    for row in rows:
        if row["metric_name"] == "http_req_duration":
            took_s = float(row["metric_value"]) / 1000
            good = row.get("expected_response", "true") == "true"
            # k6 notes the end, to the second.
            yield Sample(float(row["timestamp"]) - took_s, took_s, good)


def _k6_lines(lines: Iterable[str]) -> Iterator[Sample]:
    for line in lines:
        # Users who print at the same moment share a line.
        for found in _SAMPLE.finditer(line):
            began_ms, took_ms, status = found.groups()
            yield Sample(int(began_ms) / 1000, float(took_ms) / 1000, 200 <= int(status) < 400)


def stretches(samples: Sequence[Sample], points: int = _POINTS) -> list[Stretch]:
    """The run in equal stretches of a second at least; those in which nothing began are left out."""
    start = samples[0].began_s
    width_s = max(1.0, (samples[-1].began_s - start) / points)
    groups: dict[int, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(int((sample.began_s - start) / width_s), []).append(sample)
    return [
        Stretch(
            (number + 0.5) * width_s,
            percentile([sample.took_s for sample in group], 0.5),
            percentile([sample.took_s for sample in group], 0.99),
            len(group) / width_s,
            sum(not sample.good for sample in group),
        )
        for number, group in sorted(groups.items())
    ]


def summary(samples: Sequence[Sample]) -> str:
    """One line: how many, how fast, how many errors."""
    took = [sample.took_s for sample in samples]
    length_s = max(1.0, max(sample.began_s + sample.took_s for sample in samples) - samples[0].began_s)
    return (
        f"{len(samples):,} requests in {length_s:,.0f} s, {len(samples) / length_s:,.1f}/s; p50 "
        f"{percentile(took, 0.5) * 1000:,.0f} ms, p99 {percentile(took, 0.99) * 1000:,.0f} ms, slowest "
        f"{max(took) * 1000:,.0f} ms; {sum(not sample.good for sample in samples):,} errors"
    )


def draw(samples: Sequence[Sample], title: str) -> str:
    """The picture as SVG: times above, requests a second below, stretches with errors marked."""
    parts = stretches(samples)
    end_s = max(part.at_s for part in parts) * len(parts) / max(1, len(parts) - 0.5)
    top = _panel(
        0,
        end_s,
        {"p50": [part.p50_s * 1000 for part in parts], "p99": [part.p99_s * 1000 for part in parts]},
        parts,
        "ms",
    )
    low = _panel(_HEIGHT + 70, end_s, {"rate": [part.rate for part in parts]}, parts, "requests/s")
    marks = [
        f'<circle cx="{_x(part.at_s, end_s):.1f}" cy="{_HEIGHT + 30}" r="4" fill="{_COLOURS["errors"]}">'
        f"<title>{part.errors} errors</title></circle>"
        for part in parts
        if part.errors
    ]
    return svg(_WIDTH, 2 * _HEIGHT + 130, escape(title), [text(10, 14, escape(summary(samples))), *top, *low, *marks])


def _x(at_s: float, end_s: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * at_s / end_s


def _panel(y: float, end_s: float, series: dict[str, list[float]], parts: Sequence[Stretch], unit: str) -> list[str]:
    limit = _round_up(max(max(values) for values in series.values()))
    base = y + 30 + _HEIGHT

    def place(value: float) -> float:
        return base - _HEIGHT * value / limit

    drawn = [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{place(value):.1f}" y2="{place(value):.1f}" stroke="#dee2e6"/>'
        + text(_LEFT - 6, place(value) + 4, f"{value:g}", anchor="end")
        for value in (0.0, limit / 2, limit)
    ]
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[name]
        way = " ".join(
            f"{_x(part.at_s, end_s):.1f},{place(value):.1f}" for part, value in zip(parts, values, strict=True)
        )
        drawn.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        said = unit if name == "rate" else f"{name}, {unit}"
        drawn.append(f'<rect x="{_LEFT + 100 * number}" y="{y + 17}" width="10" height="10" fill="{colour}"/>')
        drawn.append(text(_LEFT + 14 + 100 * number, y + 26, said))
    drawn += [
        text(_x(end_s * share, end_s), base + 16, f"{end_s * share:.0f} s", anchor="middle") for share in (0, 0.5, 1)
    ]
    return drawn


def _round_up(value: float) -> float:
    """To one, two or five times a power of ten, so that the middle line has a short number."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws response times of a load test.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--title", default="Response times")
    given = parser.parse_args()
    try:
        samples = read(given.run.read_text().splitlines())
    except (OSError, ValueError) as exc:
        parser.error(f"{given.run}: {exc}")
    given.output.write_text(draw(samples, given.title))
    print(summary(samples))


if __name__ == "__main__":
    main()
