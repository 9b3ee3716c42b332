"""`python -m benchmarks.scaling`: all tables of docs/scaling.md, in some twenty seconds; `--only` takes their names."""

import argparse
from collections.abc import Callable, Mapping

from benchmarks.scaling import api_questions, job_questions
from benchmarks.scaling.prices import PRICES
from benchmarks.scaling.table import Table


def _prices() -> Table:
    rows = [(price.name, f"${price.usd:g}", price.unit, price.source) for price in PRICES]
    return Table("prices", ("price", "US dollars", "for each", "from"), rows)


TABLES: Mapping[str, Callable[[], Table]] = {
    "tests": api_questions.tests,
    "replicas": api_questions.replicas,
    "settings": api_questions.settings,
    "scalers": job_questions.scalers,
    "few": job_questions.few,
    "million": job_questions.million,
    "trainings": job_questions.trainings,
    "prices": _prices,
}


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES), help="tables to print")
    for name in parser.parse_args().only:
        print(f"{TABLES[name]().markdown()}\n")


if __name__ == "__main__":
    main()
