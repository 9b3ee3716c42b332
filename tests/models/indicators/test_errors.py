"""A broken data set is refused with the file, the place in it, and what is expected instead."""

import gzip
import pickle
from pathlib import Path

import pytest

from models._indicators import DataSetError, find_files, load
from tests.models.indicators.conftest import FILES, Written

DATA = "Country Code,Indicator Code,2000,2001\nFJI,gdp,1,2\n"
META = "Indicator Code,Indicator\n"


def refused(folder: Path, cache_dir: Path) -> DataSetError:
    with pytest.raises(DataSetError) as caught:
        load(folder, cache_dir)
    assert "\n" not in str(caught.value)
    assert str(caught.value) == f"{caught.value.file}: {caught.value.reason}"
    return caught.value


@pytest.mark.parametrize(
    ("stem", "content", "reason"),
    [
        pytest.param("indicatorData", "", "is empty; expected a header with Country Code", id="empty file"),
        pytest.param("indicatorData", "\n\n", "is empty; expected a header", id="blank lines only"),
        pytest.param("indicatorData", DATA.splitlines()[0], "a header but no rows", id="header only"),
        pytest.param("indicatorData", "Country,Indicator Code,2000\n", "no column 'Country Code'", id="country column"),
        pytest.param("indicatorData", "Country Code,Code,2000\n", "no column 'Indicator Code'", id="indicator column"),
        pytest.param(
            "indicatorData", "Country Code,Indicator Code,Y2000,20\nFJI,gdp,1,2\n", "no year column", id="no years"
        ),
        pytest.param(
            "indicatorData",
            "Country Code,Indicator Code,2000,2000\nFJI,gdp,1,2\n",
            "column '2000' is there twice",
            id="year twice",
        ),
        pytest.param(
            "indicatorData",
            DATA + "AUT,gdp,1,\nFJI,gdp,3,4\n",
            "line 4: same country and indicator as line 2",
            id="row twice",
        ),
        pytest.param(
            "indicatorData", DATA + "AUT,gdp,1,n.a.\n", "line 3, column '2001': 'n.a.' is not a number", id="text"
        ),
        pytest.param("indicatorData", DATA + "AUT,gdp,1_000,\n", "column '2000': '1_000' is not a", id="underscore"),
        pytest.param("indicatorData", DATA + 'AUT,gdp,"1,0",\n', "column '2000': '1,0' is not a", id="decimal comma"),
        pytest.param("indicatorData", DATA + "AUT,gdp,1,-inf\n", "line 3, column '2001': infinite", id="infinite"),
        pytest.param("indicatorData", DATA + "AUT,gdp,1e999,\n", "line 3, column '2000': infinite", id="overflow"),
        pytest.param("indicatorData", DATA + "AUT,gdp,1\n", "line 3: 3 fields; expected 4", id="short row"),
        pytest.param("indicatorData", DATA + "AUT,gdp,1,2,3\n", "line 3: 5 fields; expected 4", id="long row"),
        pytest.param("indicatorData", DATA + ",gdp,1,2\n", "line 3, column 'Country Code': empty", id="no country"),
        pytest.param("indicatorData", DATA + "AUT, ,1,2\n", "line 3, column 'Indicator Code': empty", id="no code"),
        pytest.param("indicatorData", DATA + 'AUT,"gdp,1,2\n', "line 3: is not valid CSV", id="open quote"),
        pytest.param(
            "indicatorData", DATA.encode() + b"AUT,caf\xe9,1,2\n", "line 3: byte 0xe9 is not UTF-8", id="latin"
        ),
        pytest.param("indicatorMeta", "", "is empty; expected a header", id="empty metadata"),
        pytest.param("indicatorMeta", "Indicator Code,Name\n", "no column 'Indicator'", id="name column"),
        pytest.param(
            "indicatorMeta", META + "gdp,A\ngdp,B\n", "line 3, column 'Indicator Code': 'gdp'", id="meta twice"
        ),
        pytest.param("indicatorMeta", META + "gdp\n", "line 2: 1 fields; expected 2", id="short metadata"),
        pytest.param("datasetMeta", "Dataset Code\nkey\n", "no column 'Dataset Name'", id="data set column"),
        pytest.param("datasetMeta", b"Dataset Code,Dataset Name\nkey,\xff\n", "not UTF-8", id="data set latin"),
        pytest.param("countryMeta", "Country,SIDS\n", "no column 'Country Code'", id="country code column"),
        pytest.param(
            "countryMeta", "Country Code,SIDS\nFJI,maybe\n", "'maybe'; expected true or false", id="unclear mark"
        ),
    ],
)
def test_a_broken_file_is_refused_by_name(
    stem: str, content: str | bytes, reason: str, written: Written, cache_dir: Path
) -> None:
    error = refused(written(**{stem: content}), cache_dir)
    assert error.file == f"small/{stem}.csv"
    assert reason in error.reason


@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_that_is_not_utf_8_is_found_in_a_large_file(packed: bool, written: Written, cache_dir: Path) -> None:
    rows = "".join(f"FJI,indicator {n},1,2\n" for n in range(5000)).encode()
    error = refused(written(packed=packed, indicatorData=DATA.encode() + rows + b"\xe9,x,1,2\n" + rows), cache_dir)
    assert "line 5003: byte 0xe9 is not UTF-8" in error.reason


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda packed: b"Country Code", id="not gzip"),
        pytest.param(lambda packed: packed[:-6], id="cut short"),
        pytest.param(lambda packed: packed[:20] + bytes(20) + packed[40:], id="bytes overwritten"),
        pytest.param(lambda packed: packed[:-8] + bytes(8), id="wrong checksum"),
    ],
)
def test_a_damaged_gzip_file_is_refused(damage, written: Written, cache_dir: Path) -> None:  # type: ignore[no-untyped-def]
    folder = written(packed=True)
    path = folder / "indicatorData.csv.gz"
    path.write_bytes(damage(gzip.compress(FILES["indicatorData"].encode())))
    error = refused(folder, cache_dir)
    assert error.file == "small/indicatorData.csv.gz"
    assert "is not valid gzip" in error.reason


def test_an_empty_gzip_file_is_refused_as_empty(written: Written, cache_dir: Path) -> None:
    folder = written(packed=True)
    (folder / "indicatorMeta.csv.gz").write_bytes(b"")
    assert "is empty" in refused(folder, cache_dir).reason


def test_all_missing_files_are_named_at_once(written: Written) -> None:
    with pytest.raises(DataSetError) as caught:
        find_files(written(indicatorData=None, datasetMeta=None))
    assert caught.value.file == "small/indicatorData, small/datasetMeta"
    assert ".csv or .csv.gz" in caught.value.reason


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"nowhere/indicatorMeta.*no such folder"):
        find_files(tmp_path / "nowhere")


def test_the_same_file_plain_and_compressed_is_refused(written: Written) -> None:
    written(packed=True)
    with pytest.raises(DataSetError, match=r"small/indicatorData: is there both as \.csv and as \.csv\.gz"):
        find_files(written())


def test_find_files_gives_optional_files_only_where_they_are(written: Written) -> None:
    assert set(find_files(written())) == {"indicatorData", "indicatorMeta", "datasetMeta"}
    assert "countryMeta" in find_files(written(countryMeta="Country Code\n"))


def test_a_long_wrong_value_is_cut_short(written: Written, cache_dir: Path) -> None:
    error = refused(written(indicatorData=DATA + 'AUT,gdp,"' + "x\n" * 5000 + '",\n'), cache_dir)
    assert len(str(error)) < 200


def test_a_broken_data_set_leaves_nothing_in_the_cache(written: Written, cache_dir: Path) -> None:
    refused(written(indicatorData=DATA + "AUT,gdp,x,\n"), cache_dir)
    assert [path.name for path in cache_dir.iterdir()] == [".lock"]


def test_codes_that_blow_up_the_array_are_refused(
    written: Written, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models._indicators.parse.MAX_CELLS", 5)
    error = refused(written(indicatorData=DATA + "AUT,pop,1,2\n"), cache_dir)
    assert "2 years x 2 countries x 2 indicators are more than 5 cells" in error.reason


def test_the_error_survives_the_way_back_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(DataSetError("a/b.csv", "is empty")))  # noqa: S301 - made on this line
    assert (error.file, error.reason, str(error)) == ("a/b.csv", "is empty", "a/b.csv: is empty")
