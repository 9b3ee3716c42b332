import gzip
from pathlib import Path
from typing import Any

import pytest

from common.storage.datasets import describe, folders_on
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin


def on_share(state: Path, name: str, **files: bytes) -> Path:
    folder = state / "share" / "datasets" / name
    folder.mkdir(parents=True)
    for stem, content in files.items():
        (folder / stem.replace("_", ".")).write_bytes(content)
    return folder


def listed(tmp_path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Client(make_app(tmp_path)).get("/datasets").json()
    return found


def test_without_data_the_list_is_empty(tmp_path: Path) -> None:
    assert listed(tmp_path) == []


def test_a_folder_of_csv_files_on_the_share_is_listed(tmp_path: Path) -> None:
    on_share(tmp_path, "mine", a_csv=b"code,2001,2000,x\na,1,2,3\nb,1,2,3\n", b_csv=b"code\na\n")
    assert listed(tmp_path) == [
        {
            "name": "mine",
            "origin": "share",
            "files": [
                {"name": "a.csv", "size_bytes": 33, "rows": 2, "years": [2001, 2000]},
                {"name": "b.csv", "size_bytes": 7, "rows": 1, "years": []},
            ],
            "size_bytes": 40,
            "rows": 2,
            "years": [2000, 2001],
            "used_by": [],
        }
    ]


def test_a_compressed_file_is_read_too(tmp_path: Path) -> None:
    on_share(tmp_path, "packed", a_csv_gz=gzip.compress(b"code,1999\na,1\n"))
    assert [(item["rows"], item["years"]) for item in listed(tmp_path)] == [(1, [1999])]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'"never closed', b"a,b\n\x00\n"])
def test_a_broken_file_is_listed_with_what_could_be_read(tmp_path: Path, content: bytes) -> None:
    on_share(tmp_path, "broken", a_csv=content, b_csv_gz=content)
    assert [file["size_bytes"] for file in listed(tmp_path)[0]["files"]] == [len(content)] * 2


def test_an_empty_folder_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "share" / "datasets" / "notes").mkdir(parents=True)
    assert listed(tmp_path) == []


def test_a_file_that_is_no_table_is_listed_without_rows(tmp_path: Path) -> None:
    on_share(tmp_path, "notes", readme_txt=b"x")
    assert [file["rows"] for dataset in listed(tmp_path) for file in dataset["files"]] == [None]


def test_rows_in_quotes_over_several_lines_count_once(tmp_path: Path) -> None:
    folder = on_share(tmp_path, "quoted", a_csv=b'code,text\na,"one\ntwo\nthree"\n')
    assert [file.rows for file in describe(folder)] == [1]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    folder = on_share(tmp_path, "mine", a_csv=b"code\na\n")
    assert describe(folder)[0].rows == 1
    (folder / "a.csv").write_bytes(b"code\na\nb\n")
    assert describe(folder)[0].rows == 2


def test_files_beside_the_folders_are_a_data_set_of_their_own(tmp_path: Path) -> None:
    base = on_share(tmp_path, "mine", a_csv=b"code\n").parent
    (base / "b.csv").write_bytes(b"code\n")
    assert [folder.name for folder in folders_on(tmp_path / "share")] == ["datasets", "mine"]


def test_a_data_set_of_a_plugin_names_the_models_that_use_it(tmp_path: Path) -> None:
    folder = on_share(tmp_path / "state", "mine", a_csv=b"code\na\n")
    for name in ("alpha", "beta"):
        write_plugin(
            tmp_path,
            name,
            f"""
            from pathlib import Path
            from fastapi import APIRouter
            from common.plugins import Dataset, Plugin
            router = APIRouter()
            plugin = Plugin(datasets=lambda: [Dataset("shown", Path({str(folder)!r}), "tests")])
            """,
        )
    app = make_app(tmp_path / "state", path=(tmp_path,), serve=("alpha", "beta"))
    found = Client(app).get("/datasets").json()
    assert [(item["name"], item["origin"], item["used_by"]) for item in found] == [
        ("shown", "tests", ["alpha", "beta"])
    ]
