"""Which file of a program is run. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import Invalid

PROGRAMS = (".py", ".sh")
_MAIN = ("main.py", "main.sh", "run.sh", "train.py", "__main__.py")


@dataclass(frozen=True)
class Program:
    """The program that came with a config.

    Parameters
    ----------
    filename : as the caller named it, without a path.
    members : paths of its files, if it is an archive.
    """

    filename: str
    members: Sequence[str] | None = None


def entry_point(program: Program, wanted: str | None, *, has_command: bool = False) -> str:
    """The path, in the program, of the file that is run.

    Parameters
    ----------
    wanted : as the config says; of a single file the last part counts, of an archive it is a member.
    has_command : another command is run, so that any file may stand for it.

    Raises
    ------
    Invalid
        There is no such file, or several could be meant.
    """
    if program.members is None:
        name = program.filename
        if wanted is not None:
            given = wanted.replace("\\", "/").rpartition("/")[2]
            # The old service stored the file under the name in the config.
            if given.endswith(PROGRAMS) and given[given.rindex(".") :] == name[name.rindex(".") :]:
                return given
            raise _no_entry(wanted, [name])
        return name
    runnable = sorted(name for name in program.members if name.endswith(PROGRAMS))
    if wanted is not None:
        return _member(wanted.removeprefix("./"), program.members, runnable)
    if len(runnable) == 1:
        return runnable[0]
    for name in _MAIN:
        if name in runnable:
            return name
    if has_command and program.members:
        return runnable[0] if runnable else min(program.members)
    if not runnable:
        raise Invalid.field("script_path", "the archive holds no .py or .sh file; pack one", where="config")
    raise Invalid.field("script_path", f"say which file of the archive is run: {_some(runnable)}", where="config")


def _member(wanted: str, members: Sequence[str], runnable: Sequence[str]) -> str:
    if wanted in members:
        return wanted
    # Archives often hold a folder that the path leaves out, and old clients' paths are those of their own machine.
    for ending in (f"/{wanted}", f"/{wanted.rpartition('/')[2]}"):
        found = [name for name in members if f"/{name}".endswith(ending)]
        if len(found) == 1:
            return found[0]
    raise _no_entry(wanted, runnable)


def _no_entry(wanted: str, there: Sequence[str]) -> Invalid:
    return Invalid.field("script_path", f"is no file of the program, which has {_some(there)}", wanted, where="config")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(name[:100] for name in names[:20]) + more if names else "none"
