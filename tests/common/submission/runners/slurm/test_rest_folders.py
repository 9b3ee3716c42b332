import grp
import os
from pathlib import Path

import pytest

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import Package
from common.submission.runners.slurm.rest.config import SlurmRestConfig
from common.submission.runners.slurm.rest.folders import TaskFolders

NAME = "wine-000000000000000000000000000-1"


def folders(root: Path, **more: str) -> TaskFolders:
    return TaskFolders(SlurmRestConfig.model_validate({
        "name": "c", "kind": "slurm-rest", "url": "https://slurm.example.org", "user": "atoll", "token": "env:TOKEN",
        "folder": str(root), "access": "inherit", **more,
    }))  # fmt: skip


def place(found: TaskFolders, package: Package, user: str = "atoll") -> bool:
    """Whether it was new."""
    with found.placed(NAME, package, user, 0.1) as is_new:
        return is_new


@pytest.fixture
def placed(tmp_path: Path) -> TaskFolders:
    found = folders(tmp_path)
    place(found, Package({"run.sh": b"true\n", "program/src/train.py": b"pass\n"}), "atoll")
    (tmp_path / NAME / "output").mkdir()
    return found


def collected(found: TaskFolders) -> dict[str, bytes]:
    return {path: b"".join(parts) for path, parts in found.collect(NAME)}


def test_a_placed_folder_has_all_files(placed: TaskFolders, tmp_path: Path) -> None:
    assert (tmp_path / NAME / "program/src/train.py").read_bytes() == b"pass\n"
    assert placed.is_there(NAME)


def test_a_folder_that_is_there_is_left_as_it_is(placed: TaskFolders, tmp_path: Path) -> None:
    place(placed, Package({"run.sh": b"false\n"}), "atoll")

    assert (tmp_path / NAME / "run.sh").read_bytes() == b"true\n"


def test_only_the_first_to_place_a_folder_finds_it_new(tmp_path: Path) -> None:
    found = folders(tmp_path)

    assert [place(found, Package({"run.sh": b""})) for _ in range(3)] == [True, False, False]


def test_whoever_places_a_folder_keeps_others_from_submitting_it(tmp_path: Path) -> None:
    found = folders(tmp_path)

    with (
        found.placed(NAME, Package({}), "atoll", 0.1),
        pytest.raises(ClusterDown, match="being submitted by another process"),
    ):
        place(folders(tmp_path), Package({}))
    assert place(found, Package({})) is False


def test_the_number_that_was_noted_is_told_until_another_job_has_the_claim(placed: TaskFolders, tmp_path: Path) -> None:
    assert placed.submitted_as(NAME) is None
    placed.note_job(NAME, "40")
    assert placed.submitted_as(NAME) == "40"
    (tmp_path / NAME / "claim").mkdir()
    (tmp_path / NAME / "claim/owner").write_text("41")
    assert placed.submitted_as(NAME) == "41"


def test_a_link_in_the_place_of_a_note_leads_nowhere(placed: TaskFolders, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("7")
    (tmp_path / NAME / "job").symlink_to(tmp_path / "secret")

    assert placed.submitted_as(NAME) is None
    placed.note_job(NAME, "40")
    assert (tmp_path / "secret").read_text() == "7"


def test_a_folder_that_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ClusterDown, match="cannot be used"):
        place(folders(tmp_path), Package({"run.sh": b"", "program/a": tmp_path / "missing"}), "atoll")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_mounted_is_down_and_no_empty_answer(tmp_path: Path) -> None:
    gone = folders(tmp_path / "not-mounted")

    for ask in (gone.is_there, gone.claimed_by, lambda name: list(gone.collect(name))):
        with pytest.raises(ClusterDown):
            ask(NAME)


def test_logs_and_outputs_are_collected(placed: TaskFolders, tmp_path: Path) -> None:
    (tmp_path / NAME / "task.log").write_bytes(b"hello\n")
    (tmp_path / NAME / "output/deep").mkdir()
    (tmp_path / NAME / "output/deep/model.onnx").write_bytes(b"x" * 3_000_000)

    assert collected(placed) == {"task.log": b"hello\n", "output/deep/model.onnx": b"x" * 3_000_000}


def test_no_link_pipe_or_odd_name_is_collected(placed: TaskFolders, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    output = tmp_path / NAME / "output"
    (output / "link").symlink_to(secret)
    (output / "folder").symlink_to(tmp_path)
    os.mkfifo(output / "pipe")
    Path(os.fsdecode(bytes(output) + b"/\xff")).write_bytes(b"odd")
    (tmp_path / NAME / "task.log").symlink_to(secret)

    assert collected(placed) == {}


def test_an_output_that_is_a_link_is_not_followed(placed: TaskFolders, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").write_bytes(b"secret")
    (tmp_path / NAME / "output").rmdir()
    (tmp_path / NAME / "output").symlink_to(tmp_path / "elsewhere")

    assert collected(placed) == {}


def test_a_log_is_read_by_offset(placed: TaskFolders, tmp_path: Path) -> None:
    (tmp_path / NAME / "task.log").write_bytes(b"0123456789")

    part = placed.read_log(NAME, "task.log", 3, 4)

    assert (part.content, part.offset, part.size_bytes) == (b"3456", 3, 10)


def test_a_log_that_is_not_there_yet_is_empty(placed: TaskFolders) -> None:
    assert placed.read_log(NAME, "task.log", 0, 100).content == b""


@pytest.mark.parametrize(
    ("claim", "owner", "told"),
    [
        ("claim", "41\n", "41"),
        ("claim-7", "42\n", "42"),
        ("claim", "by hand\n", None),
        ("claim", "-1; rm\n", None),
        ("claimed", "41\n", None),
    ],
)
def test_the_job_that_runs_the_program_is_told_by_its_claim(
    placed: TaskFolders, tmp_path: Path, claim: str, owner: str, told: str | None
) -> None:
    (tmp_path / NAME / claim).mkdir()
    (tmp_path / NAME / claim / "owner").write_text(owner)

    assert placed.claimed_by(NAME) == told


def test_a_claim_that_is_a_link_tells_nothing(placed: TaskFolders, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/owner").write_text("41")
    (tmp_path / NAME / "claim").symlink_to(tmp_path / "elsewhere")

    assert placed.claimed_by(NAME) is None


def test_cleaning_twice_is_fine_and_removes_what_an_interrupted_writing_left(
    placed: TaskFolders, tmp_path: Path
) -> None:
    (tmp_path / f".new-{NAME}-0123abcd").mkdir()
    (tmp_path / f".new-{NAME}0-0123abcd").mkdir()

    placed.clean(NAME)
    placed.clean(NAME)

    assert [path.name for path in tmp_path.iterdir()] == [f".new-{NAME}0-0123abcd"]


def test_a_folder_is_its_users_alone(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to others")
    place(folders(tmp_path, access="owner"), Package({"program/a.py": b""}), "nobody")

    for path in (tmp_path / NAME, tmp_path / NAME / "program", tmp_path / NAME / "program/a.py"):
        assert path.owner() == "nobody"
        assert path.stat().st_mode & 0o077 == 0


def test_a_folder_for_a_group_is_written_by_all_of_it(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getegid()).gr_name
    place(folders(tmp_path, access="group", group=group), Package({"run.sh": b""}), "atoll")

    assert (tmp_path / NAME).stat().st_mode & 0o7777 == 0o2770
    assert (tmp_path / NAME / "run.sh").stat().st_mode & 0o7777 == 0o660


def test_a_user_that_this_machine_does_not_know_is_refused_with_its_name(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to others")
    with pytest.raises(ClusterRefused, match="cannot be given to no-such-user"):
        place(folders(tmp_path, access="owner"), Package({"run.sh": b""}), "no-such-user")

    assert list(tmp_path.iterdir()) == []
