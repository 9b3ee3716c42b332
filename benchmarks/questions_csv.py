"""Questions for the JMeter plan: `python -m benchmarks.questions_csv 7071 400 > questions.csv`.

Each line is a year, a target and a predictor that the server offers; none comes twice, so that no answer has been kept.
"""

import argparse
import csv
import sys
from collections.abc import Iterator

from benchmarks.client import Client
from benchmarks.questions import Questions
from benchmarks.report import NotMeasured

_TIMEOUT_S = 120.0


def rows(questions: Questions, count: int) -> Iterator[tuple[str, str, str]]:
    for _ in range(count):
        body = questions.manual()
        yield body["target_year"], body["target"], body["manual_predictors"][0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes distinct questions to the imputation model as CSV.")
    parser.add_argument("port", type=int, help="of an Atoll on this machine")
    parser.add_argument("count", type=int)
    given = parser.parse_args()
    try:
        with Client(given.port, timeout_s=_TIMEOUT_S) as client:
            found = list(rows(Questions(client), given.count))
    except NotMeasured as exc:
        parser.error(f"port {given.port}: {exc}")
    csv.writer(sys.stdout, lineterminator="\n").writerows([("year", "target", "predictor"), *found])


if __name__ == "__main__":
    main()
