"""Stand-ins, on loopback, for the World Bank's Indicators API and UNDP's file: the shapes of their public documentation
with made-up values. They are not the services: what those do beyond their documentation is not here.
"""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Code of three letters, of two, name, id of the region (NA: an aggregate)
COUNTRIES = (
    ("FJI", "FJ", "Fiji", "EAS"),
    ("TUV", "TV", "Tuvalu", "EAS"),
    ("AUT", "AT", "Austria", "ECS"),
    ("CIV", "CI", "Cote d'Ivoire", "SSF"),
    ("WLD", "1W", "World", "NA"),
    ("ARB", "1A", "Arab World", "NA"),
)
INDICATORS = {
    "SP.POP.TOTL": ("Population, total", "2", "World Development Indicators", "Climate Change"),
    "SL.UEM.TOTL.FE.ZS": (
        "Unemployment, female (% of female labor force) (modeled ILO estimate)",
        "2",
        "World Development Indicators",
        "Gender",
    ),
    "EG.ELC.ACCS.ZS": ("Access to electricity (% of population)", "2", "World Development Indicators", "Energy"),
    "GE.EST": ("Government Effectiveness: Estimate", "3", "Worldwide Governance Indicators", ""),
    "NO.DATA": ("Never observed", "2", "World Development Indicators", "Energy"),
}
NEVER = 0
UNKNOWN = [
    {"message": [{"id": "120", "key": "Invalid value", "value": "The provided parameter value is not valid"}]},
]


def value_of(code: str, country: str, year: int) -> float | None:
    """What the stand-in says; a third of it are gaps, Tuvalu has nothing before 2002."""
    at = [row[0] for row in COUNTRIES].index(country)
    if code == "NO.DATA" or (country == "TUV" and year < 2002) or (at + year + len(code)) % 3 == 0:
        return None
    return round(100.0 * at + (year - 2000) / 10 + len(code), 3)


# As the report spells it: Latin-1, groups of countries below, ranks among the columns.
UNDP = """\
iso3,country,hdicode,region,hdi_rank_2023,hdi_2000,hdi_2001,hdi_2002,le_f_2000,le_f_2001,le_f_2002,gdi_group_2023,new_2001
FJI,Fiji,High,EAP,111,0.671,0.675,0.68,69.1,69.2,,2,1.5
CIV,C\u00f4te d'Ivoire,Medium,SSA,157,0.457,,0.459,50.2,50.1,50.3,5,
TUV,Tuvalu,High,EAP,130,,..,0.64,,,,,
ZZA.VHHD,Very high human development,,,,0.8,0.81,0.82,78,78.1,78.2,,
""".encode("latin-1")


@dataclass
class Sources:
    """A server on loopback; `url` is what `--base-url` takes for the World Bank.

    Parameters
    ----------
    rows_a_page : at most; the service has such a limit too.
    broken : path and page -> statuses to answer first, one a request.
    hung : path and page that are never answered.
    edition : `lastupdated` of the values.
    report : UNDP's file, at `/v2/report.csv`.
    """

    rows_a_page: int = 10
    broken: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    hung: set[tuple[str, int]] = field(default_factory=set)
    edition: str = "2025-07-01"
    report: bytes = UNDP
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, headers = standin.answer(self.path)
                if status == NEVER:
                    self.rfile.read()  # until the client is gone
                    return
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v2"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, target: str) -> tuple[int, bytes, dict[str, str]]:
        split = urlsplit(target)
        path = split.path.removeprefix("/v2/")
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        page = int(query.get("page", "1"))
        self.asked.append((path, page))
        if (path, page) in self.hung:
            return NEVER, b"", {}
        left = self.broken.get((path, page))
        if left:
            return left.pop(0), b"<html>not now</html>", {"retry-after": "0"}
        if path == "report.csv":
            return 200, self.report, {"content-type": "text/csv"}
        # Without it the service answers XML.
        if query.get("format") != "json":
            return 200, b"<?xml version='1.0'?>", {}
        return 200, json.dumps(self._told(path, page, query)).encode(), {"content-type": "application/json"}

    def _told(self, path: str, page: int, query: dict[str, str]) -> list[Any]:
        match path.split("/"):
            case ["country"]:
                return self._page([_country(*row) for row in COUNTRIES], page, query)
            case ["indicator", code] if code in INDICATORS:
                return self._page([_indicator(code)], page, query)
            case ["country", "all", "indicator", code] if code in INDICATORS:
                first, _, last = query["date"].partition(":")
                years = range(int(last), int(first) - 1, -1)
                rows = [_row(code, country, year) for country in COUNTRIES for year in years]
                return self._page(rows, page, query, sourceid="2", lastupdated=self.edition)
        return UNKNOWN

    def _page(self, rows: list[Any], page: int, query: dict[str, str], **more: str) -> list[Any]:
        size = min(int(query.get("per_page", "50")), self.rows_a_page)
        header = {"page": page, "pages": -(-len(rows) // size), "per_page": size, "total": len(rows), **more}
        return [header, rows[(page - 1) * size : page * size] or None]


def _country(code: str, short: str, name: str, region: str) -> dict[str, Any]:
    place = {"id": region, "iso2code": region, "value": "Aggregates" if region == "NA" else region}
    return {
        "id": code,
        "iso2Code": short,
        "name": name,
        "region": place,
        "adminregion": {"id": "", "iso2code": "", "value": ""},
        "incomeLevel": {"id": "NA", "iso2code": "NA", "value": "Aggregates"},
        "capitalCity": "",
        "longitude": "",
        "latitude": "",
    }


def _indicator(code: str) -> dict[str, Any]:
    name, source, title, topic = INDICATORS[code]
    return {
        "id": code,
        "name": name,
        "unit": "",
        "source": {"id": source, "value": title},
        "sourceNote": "",
        "sourceOrganization": "",
        "topics": [{"id": "19", "value": "Climate Change"}, {"id": "5", "value": f"{topic} "}] if topic else [],
    }


def _row(code: str, country: tuple[str, str, str, str], year: int) -> dict[str, Any]:
    iso3, iso2, name, _ = country
    return {
        "indicator": {"id": code, "value": INDICATORS[code][0]},
        "country": {"id": iso2, "value": name},
        # Sources other than the WDI leave it empty.
        "countryiso3code": iso3 if INDICATORS[code][1] == "2" else "",
        "date": str(year),
        "value": value_of(code, iso3, year),
        "unit": "",
        "obs_status": "",
        "decimal": 1,
    }
