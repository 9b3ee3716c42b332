"""What a loaded data set holds."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models._indicators import SIDS, find_files, load
from tests.models.indicators.conftest import FILES, Written


def test_values_equal_a_plain_pivot_of_the_real_files(real: Path, cache_dir: Path) -> None:
    table = pd.read_csv(find_files(real)["indicatorData"], keep_default_na=False, na_values=[""])
    years = [name for name in table.columns if name.isdigit()]
    data = load(real, cache_dir)
    assert data.years == tuple(map(int, years))
    for year in years:
        pivot = table.pivot(index="Country Code", columns="Indicator Code", values=year)
        assert data.countries == tuple(pivot.index)
        assert data.indicators == tuple(pivot.columns)
        np.testing.assert_array_equal(data.year(int(year)), pivot.to_numpy(float))


def test_metadata_equals_the_real_files(real: Path, cache_dir: Path) -> None:
    meta = pd.read_csv(find_files(real)["indicatorMeta"], dtype=str, keep_default_na=False)
    meta = meta.set_index("Indicator Code")
    data = load(real, cache_dir)
    expected = meta.loc[list(data.indicators)]
    for texts, column in (
        (data.names, "Indicator"),
        (data.units, "Units"),
        (data.categories, "Category"),
        (data.subcategories, "Subcategory"),
        (data.dimensions, "Dimension"),
        (data.dataset_codes, "Dataset"),
    ):
        assert texts == tuple(expected[column].str.strip()), column
    assert set(data.dataset_codes) == set(data.datasets)


def test_the_50_small_island_states_are_in_both_real_sets(real: Path, cache_dir: Path) -> None:
    data = load(real, cache_dir)
    assert len(SIDS) == 50
    assert {code for code, small in zip(data.countries, data.sids, strict=True) if small} == SIDS


def test_axes_are_sorted_whatever_the_order_of_rows_and_columns(written: Written, cache_dir: Path) -> None:
    data = load(written(), cache_dir)
    assert (data.years, data.countries) == ((2000, 2001), ("AUT", "FJI"))
    assert data.indicators == ("gdp", "key-wdi-SP.POP", "wdi-SP.POP")
    nan = np.nan
    np.testing.assert_array_equal(data.year(2000), [[nan, nan, nan], [nan, nan, 0.8]])
    np.testing.assert_array_equal(data.year(2001), [[-1000, nan, 8.1], [nan, nan, 0.9]])


def test_lookups_give_the_place_on_each_axis(written: Written, cache_dir: Path) -> None:
    data = load(written(), cache_dir)
    at = data.year_index[2001], data.country_index["AUT"], data.indicator_index["wdi-SP.POP"]
    assert data.values[at] == 8.1


def test_a_year_that_is_not_there_is_a_key_error(written: Written, cache_dir: Path) -> None:
    with pytest.raises(KeyError, match="1999"):
        load(written(), cache_dir).year(1999)


def test_values_are_a_read_only_map_of_the_cache(written: Written, cache_dir: Path) -> None:
    data = load(written(), cache_dir)
    assert isinstance(data.values.base, np.memmap)
    for array in (data.values, data.year(2000), data.sids):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_an_indicator_without_metadata_is_named_by_its_code(written: Written, cache_dir: Path) -> None:
    data = load(written(), cache_dir)
    at = data.indicator_index["gdp"]
    assert (data.names[at], data.units[at], data.dimensions[at], data.dataset_codes[at]) == ("gdp", "", "", "")


def test_texts_stay_as_the_metadata_gives_them(written: Written, cache_dir: Path) -> None:
    data = load(written(), cache_dir)
    at = data.indicator_index["wdi-SP.POP"]
    assert (data.names[at], data.dimensions[at]) == ("Population, total", "None")


def test_metadata_needs_no_more_than_code_and_name(written: Written, cache_dir: Path) -> None:
    data = load(written(indicatorMeta="Indicator,Indicator Code\nIncome,gdp\n"), cache_dir)
    assert data.names == ("Income", "key-wdi-SP.POP", "wdi-SP.POP")
    assert data.units == data.categories == ("", "", "")


def test_codes_of_one_indicator_in_several_data_sets_share_their_base(written: Written, cache_dir: Path) -> None:
    codes = ["EG", "wdi-EG", "wdi2-EG", "key-wdi-EG", "key-wdi2-EG", "key-epi-EG", "wdiEG", "wdi-", "my-wdi-EG"]
    rows = "".join(f"FJI,{code},1\n" for code in codes)
    data = load(written(indicatorData=f"Country Code,Indicator Code,2000\n{rows}"), cache_dir)
    bases = dict(zip(data.indicators, data.base_codes, strict=True))
    assert [bases[code] for code in codes] == ["EG"] * 5 + ["epi-EG", "wdiEG", "wdi-", "my-wdi-EG"]


def test_the_data_set_can_correct_the_list_of_small_island_states(written: Written, cache_dir: Path) -> None:
    marks = "Country Code,Country,SIDS\nAUT,Austria,TRUE\nFJI,Fiji,false\nXXX,,\n"
    assert load(written(), cache_dir).sids.tolist() == [False, True]
    assert load(written(countryMeta=marks), cache_dir).sids.tolist() == [True, False]


def test_country_names_come_from_country_metadata(written: Written, cache_dir: Path) -> None:
    assert load(written(), cache_dir).country_names == {}
    named = load(written(countryMeta="Country Code,Country\nCIV,Côte d'Ivoire\n"), cache_dir)
    assert named.country_names == {"CIV": "Côte d'Ivoire"}


def test_the_name_is_the_folder_s_even_for_a_shared_cache(written: Written, cache_dir: Path) -> None:
    one, two = load(written("one"), cache_dir), load(written("two"), cache_dir)
    assert (one.name, two.name) == ("one", "two")
    assert one.digest == two.digest


def test_plain_and_compressed_files_read_the_same(written: Written, cache_dir: Path) -> None:
    plain, packed = load(written(), cache_dir), load(written("packed", packed=True), cache_dir)
    np.testing.assert_array_equal(plain.values, packed.values)
    assert plain.names == packed.names


@pytest.mark.parametrize("stem", FILES)
def test_other_content_in_any_file_is_another_digest(stem: str, written: Written, cache_dir: Path) -> None:
    last = {"indicatorData": "FJI,,gdp,1,2\n"}.get(stem, "new,New" + "," * (FILES[stem].splitlines()[0].count(",") - 1))
    assert load(written(), cache_dir).digest != load(written(**{stem: FILES[stem] + last}), cache_dir).digest


def test_a_changed_file_is_seen_by_the_next_load(written: Written, cache_dir: Path) -> None:
    load(written(), cache_dir)
    changed = load(written(indicatorData="Country Code,Indicator Code,2000\nFJI,gdp,5\n"), cache_dir)
    assert changed.values.tolist() == [[[5.0]]]


def test_spreadsheet_exports_with_byte_order_mark_and_crlf_are_read(written: Written, cache_dir: Path) -> None:
    text = "\ufeff" + FILES["indicatorData"].replace("\n", "\r\n") + "\r\n"
    np.testing.assert_array_equal(
        load(written(indicatorData=text), cache_dir).values, load(written("unix"), cache_dir).values
    )


def test_a_data_set_survives_pickling_between_processes(written: Written, cache_dir: Path) -> None:
    data = load(written(), cache_dir)
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - made on the line above
    np.testing.assert_array_equal(copy.values, data.values)
    assert copy.country_index == data.country_index


def test_loading_needs_no_data_frames(written: Written, cache_dir: Path) -> None:
    script = """if True:
        import pathlib, sys
        from models._indicators import load
        load(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
        sys.exit("pandas" in sys.modules)
    """
    subprocess.run([sys.executable, "-c", script, str(written()), str(cache_dir)], check=True)
