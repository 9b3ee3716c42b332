"""Pictures of load tests, from each format that is read."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks.response_times import Sample, draw, read, stretches, summary

K6_LINES = ["noise", 'level=info msg="sample,1700000001000,12.5,200,x"', "sample,1700000000000,10.0,500,x"]
K6_CSV = [
    "metric_name,timestamp,metric_value,expected_response",
    "http_reqs,1700000001,1,true",
    "http_req_duration,1700000001,500,true",
    "http_req_duration,1700000002,250,false",
]
JMETER = ["timeStamp,elapsed,label,success", "1700000000000,20,x,true", "1700000000500,30,x,false"]


def test_lines_of_k6_are_read_in_the_order_of_their_beginnings() -> None:
    assert read(K6_LINES) == [Sample(1_700_000_000.0, 0.01, False), Sample(1_700_000_001.0, 0.0125, True)]


def test_users_who_print_at_the_same_moment_share_a_line() -> None:
    (line,) = K6_LINES[2:]
    assert len(read([line + line, "", line])) == 3


def test_a_csv_of_k6_has_ends_from_which_beginnings_follow() -> None:
    assert read(K6_CSV) == [Sample(1_700_000_000.5, 0.5, True), Sample(1_700_000_001.75, 0.25, False)]


def test_results_of_jmeter_are_read() -> None:
    assert [sample.good for sample in read(JMETER)] == [True, False]


@pytest.mark.parametrize("lines", [[], ["nothing", "of it"], ["timeStamp,elapsed,success"]])
def test_a_file_without_requests_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="no request"):
        read(lines)


def test_no_request_is_lost_between_stretches() -> None:
    samples = [Sample(at / 7, 0.1, at % 10 > 0) for at in range(1000)]
    found = stretches(samples)
    width_s = 2 * found[0].at_s
    assert sum(round(part.rate * width_s) for part in found) == 1000
    assert sum(part.errors for part in found) == 100


def test_the_picture_is_svg_and_marks_errors() -> None:
    picture = draw([Sample(0, 0.1, True), Sample(5, 0.2, False)], "a < b")
    ET.fromstring(picture)  # noqa: S314 - made above
    assert "1 errors" in picture
    assert "a &lt; b" in picture


def test_one_request_is_enough_for_a_picture() -> None:
    ET.fromstring(draw([Sample(0, 0.0, True)], "one"))  # noqa: S314 - made above


def test_the_line_below_the_title_counts_errors() -> None:
    assert summary([Sample(0, 0.1, True), Sample(1, 0.1, False)]).endswith("1 errors")
