from pathlib import Path

import pytest

from common.errors import Unavailable
from models.scaleout.importing.watch import Watch
from models.scaleout.records import Application
from tests.models.scaleout.importing import events


class Kept:
    """Runs that were taken; a real store is tested with the command."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.is_away = False

    def __call__(self, run: Application) -> None:
        if self.is_away:
            raise Unavailable("the database is away")
        self.ids.append(run.execution_id)


def write(folder: Path, app: str, suffix: str = "") -> Path:
    path = folder / f"{app}{suffix}"
    path.write_bytes(b"\n".join(events.small_run(app)) + b"\n")
    return path


def test_a_log_is_read_once(tmp_path: Path) -> None:
    kept = Kept()
    watch = Watch(tmp_path, kept)
    write(tmp_path, "app-1")
    assert watch.look().imported == ("app-1",)
    assert watch.look().imported == ()
    assert kept.ids == ["app-1"]


def test_a_log_is_left_alone_until_its_application_has_ended(tmp_path: Path) -> None:
    kept = Kept()
    watch = Watch(tmp_path, kept)
    path = write(tmp_path, "app-1", ".inprogress")
    assert watch.look().imported == ()
    path.rename(tmp_path / "app-1")
    assert watch.look().imported == ("app-1",)


def test_a_rolling_log_is_left_alone_until_its_application_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "eventlog_v2_app-1"
    folder.mkdir()
    write(folder, "events_1_app-1")
    status = folder / "appstatus_app-1.inprogress"
    status.touch()
    watch = Watch(tmp_path, Kept())
    assert watch.look().imported == ()
    status.rename(folder / "appstatus_app-1")
    assert watch.look().imported == ("eventlog_v2_app-1",)


def test_a_file_that_is_no_log_is_refused_once_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a-note").write_text("hello")
    write(tmp_path, "app-1")
    watch = Watch(tmp_path, Kept())
    looked = watch.look()
    assert looked.imported == ("app-1",)
    assert [name for name, _ in looked.refused] == ["a-note"]
    assert watch.look().refused == ()


def test_what_was_read_is_known_after_a_restart(tmp_path: Path) -> None:
    logs, state = tmp_path / "logs", tmp_path / "state" / "watched.json"
    logs.mkdir()
    write(logs, "app-1")
    Watch(logs, Kept(), state).look()
    assert Watch(logs, Kept(), state).look().imported == ()


def test_a_broken_note_of_what_was_read_reads_all_again(tmp_path: Path) -> None:
    logs, state = tmp_path / "logs", tmp_path / "watched.json"
    logs.mkdir()
    write(logs, "app-1")
    state.write_text("{")
    assert Watch(logs, Kept(), state).look().imported == ("app-1",)


def test_a_run_that_could_not_be_kept_is_tried_again(tmp_path: Path) -> None:
    kept = Kept()
    kept.is_away = True
    write(tmp_path, "app-1")
    watch = Watch(tmp_path, kept)
    with pytest.raises(Unavailable):
        watch.look()
    kept.is_away = False
    assert watch.look().imported == ("app-1",)


def test_a_log_that_was_written_anew_is_read_again(tmp_path: Path) -> None:
    watch = Watch(tmp_path, Kept())
    path = write(tmp_path, "app-1")
    watch.look()
    path.write_bytes(path.read_bytes() + events.line("ExecutorAdded", Timestamp=1) + b"\n")
    assert watch.look().imported == ("app-1",)


def test_where_the_note_of_what_was_read_cannot_be_written_logs_are_read_once_all_the_same(tmp_path: Path) -> None:
    kept = Kept()
    logs = tmp_path / "logs"
    logs.mkdir()
    write(logs, "app-1")
    (tmp_path / "file").touch()
    watch = Watch(logs, kept, tmp_path / "file" / "watched.json")
    assert watch.look().imported == ("app-1",)
    assert watch.look().imported == ()
    assert kept.ids == ["app-1"]
