"""`python -m benchmarks.dashboards --prometheus URL --minutes 10 --output FOLDER [service models jobs clusters]`."""

import argparse
import time
from pathlib import Path

from benchmarks.dashboards import panels
from benchmarks.dashboards.picture import Span, render
from benchmarks.dashboards.prometheus import NoPrometheus, Prometheus


def draw_all(names: list[str], prometheus: Prometheus, span: Span, folder: Path) -> list[Path]:
    """Write a picture of each dashboard that has anything to show. Raises `NoPrometheus`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names:
        picture = render(panels.read(name), prometheus, span)
        if picture:
            path = folder / f"dashboard-{name}.svg"
            path.write_text(picture, encoding="utf-8")
            written.append(path)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.dashboards",
        description="Draws Grafana's dashboards from the data of a Prometheus, as SVG.",
    )
    parser.add_argument("dashboards", nargs="*", metavar="NAME", help=f"of {', '.join(panels.names())}; all by default")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--minutes", type=float, default=10.0, help="how much is shown (10)")
    parser.add_argument("--end", type=float, default=None, metavar="S", help="seconds since 1970; now by default")
    parser.add_argument("--interval", type=float, default=15.0, metavar="S", help="seconds between scrapes (15)")
    parser.add_argument("--output", type=Path, default=Path("build/dashboards"), metavar="FOLDER")
    given = parser.parse_args()
    if unknown := set(given.dashboards) - set(panels.names()):
        parser.error(f"there is no dashboard {', '.join(sorted(unknown))}; there are {', '.join(panels.names())}")
    if given.minutes <= 0 or given.interval <= 0:
        parser.error("--minutes and --interval are above 0")
    end_s = time.time() if given.end is None else given.end
    try:
        with Prometheus(given.prometheus) as prometheus:
            span = Span(end_s - 60 * given.minutes, end_s, given.interval)
            written = draw_all(given.dashboards or panels.names(), prometheus, span, given.output)
    except NoPrometheus as exc:
        parser.exit(1, f"{exc}\n")
    print("\n".join(map(str, written)) or "Prometheus has no data of that time")


if __name__ == "__main__":
    main()
