import pytest

from models.scaleout.importing.settings import Properties, context_of, limits_of, memory_mb


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10240m", 10240.0), ("4g", 4096.0), ("1.5G", 1536.0), ("512mb", 512.0), ("1073741824", 1024.0), ("much", None)],
)
def test_sizes_are_read_as_spark_writes_them(text: str, expected: float | None) -> None:
    assert memory_mb(text) == expected


@pytest.mark.parametrize("key", ["dataSizeMB", "data_size_MB", "datasizemb"])
def test_properties_are_found_in_any_spelling(key: str) -> None:
    properties = Properties({f"spark.customExtraListener.{key}": "12.5"})
    assert context_of(properties, "app", {}).data_size_mb == 12.5


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "many", ""])
def test_sizes_that_are_none_count_as_unknown(text: str) -> None:
    properties = Properties({"spark.customExtraListener.dataSizeMB": text})
    assert context_of(properties, "app", {}).data_size_mb is None


def test_without_a_name_of_the_algorithm_the_application_s_counts() -> None:
    assert context_of(Properties(), "kmeans", {}).algorithm == "kmeans"


def test_arguments_are_a_json_list_or_words() -> None:
    for text in ('["5", 0.1]', "5 0.1"):
        properties = Properties({"spark.customExtraListener.algorithmArgs": text})
        assert context_of(properties, "app", {}).arguments == ("5", "0.1")


def test_bounds_come_from_dynamic_allocation_where_atoll_set_none() -> None:
    told = {"spark.dynamicAllocation.minExecutors": "2", "spark.dynamicAllocation.maxExecutors": "6"}
    assert limits_of(Properties(told)) == (2, 6, None)


def test_a_smallest_scale_out_above_the_largest_raises_it() -> None:
    told = {"spark.customExtraListener.minScaleOut": "9", "spark.customExtraListener.maxScaleOut": "6"}
    assert limits_of(Properties(told)) == (9, 9, None)
