"""What is carried out on the login node: POSIX sh with GNU's tar, find and coreutils, and Slurm's own programs.

A script travels on stdin, before whatever else it reads there, so that the login shell of the account, whichever that
is, has only one plain line to understand. No value is ever pasted into a script: they come as arguments, quoted.

Exit codes of these scripts: 65 Slurm refused, 75 it did not answer or files could not be written, 76 the accounting
did not answer; all with words on stderr.
"""

import shlex
from collections.abc import Sequence

from common.submission.runners.slurm.parse import ACCOUNTING_FIELDS, PARTITION_FORMAT, SEPARATOR, queue_format

REFUSED, DOWN, UNACCOUNTED = 65, 75, 76
# Between what several programs printed.
MARK = "\x1e--\x1e"
BATCH = "batch.sh"
JOB = "job"


def command(script: str, *arguments: str | int) -> tuple[str, bytes]:
    """The line for the login shell, and what its stdin begins with."""
    text = script.encode()
    words = " ".join(shlex.quote(str(argument)) for argument in arguments)
    return f"""exec /bin/sh -c 'eval "$(head -c {len(text)})"' atoll {words}""", text


def _script(*parts: Sequence[str] | str) -> str:
    return "\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts)


# $1: seconds for all of Slurm's programs together; $2: where they are, or nothing.
# A controller that is down makes them hang for 9 s and more: it is asked first, which costs milliseconds.
_PRELUDE = """\
export LC_ALL=C SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0
limit=$1; [ -z "$2" ] || PATH=$2:$PATH; shift 2
until=$(($(date +%s) + limit))
down() { printf 'atoll: %s\\n' "$*" >&2; exit 75; }
slurm() {
  left=$((until - $(date +%s))); [ "$left" -gt 0 ] || return 124
  timeout -k 2 "$left" "$@"
}
up() {
  command -v scontrol >/dev/null 2>&1 || down 'Slurm is not on the PATH of a command by SSH: set slurm_bin'
  pinged=$(timeout -k 1 5 scontrol ping 2>&1)
  case $pinged in *' is UP'*|*' are '*UP*) ;; *) down 'the Slurm controller does not answer' ;; esac
}
"""

# $1: the submission's name; $2: since when. Gives the number of the first job of that name in `id`, or nothing.
_LOOK = """\
queued() {
  id=$(slurm squeue --me --states=all -h -o %F --name="$1") || down 'squeue does not answer'
  id=$(printf '%s\\n' "$id" | sort -n | head -n 1)
}
accounted() {
  id=$(slurm sacct -n -X -P -o JobID --name="$1" --starttime="$2" 2>&1) || case $id in
    *'accounting storage is disabled'*) id= ;;
    *) down "sacct does not answer: $id" ;;
  esac
  id=$(printf '%s\\n' "$id" | sed -n 's/^\\([0-9][0-9]*\\).*/\\1/p' | sort -n | head -n 1)
}
"""

# name, since, folder of all tasks
FIND = _script(
    _PRELUDE,
    _LOOK,
    """\
name=$1 since=$2 task=$3/$1
if [ -s "$task/job" ]; then cat "$task/job"; exit 0; fi
up
queued "$name"
# Nothing is submitted before the folder is there.
[ -n "$id" ] || ! [ -d "$task" ] || accounted "$name" "$since"
[ -z "$id" ] || printf '%s\\n' "$id"
""",
)

# name, since, folder of all tasks; a tar of the task's folder on stdin, with the batch script as its last file
SUBMIT = _script(
    _PRELUDE,
    _LOOK,
    """\
umask 077
# Whoever asked may be gone: what was begun is still finished, or cleared away.
trap '' PIPE; trap 'exit 75' HUP INT TERM
name=$1 since=$2 root=$3 task=$3/$1 new=$3/.new-$1-$$ fresh=
if [ -s "$task/job" ]; then cat "$task/job"; exit 0; fi
up
if ! [ -d "$task" ]; then
  trap 'rm -rf "$new"' EXIT
  { mkdir -p "$root" && mkdir "$new"; } || down "folders cannot be made in $root"
  tar -x -m -o -f - -C "$new" || down 'the files could not be written'
  # The last one: where it is missing, the connection was cut between two others.
  [ -s "$new/batch.sh" ] || down 'the files did not arrive in full'
  if mv -T "$new" "$task" 2>/dev/null; then fresh=1; elif ! [ -d "$task" ]; then down "cannot write $task"; fi
  until=$(($(date +%s) + limit))
fi
cd "$task" || down "cannot enter $task"
exec 9>>lock || down "cannot write in $task"
# A file system without locks: the claim of the folder by run.sh still keeps a second job from running the program.
flock -E 99 -w "$limit" 9; [ $? != 99 ] || down 'another command still submits this task'
if [ -s job ]; then cat job; exit 0; fi
queued "$name"
# Before the folder was there, nobody can have submitted it, but for long ago, which the queue does not tell.
[ -n "$id" ] || [ -n "$fresh" ] || accounted "$name" "$since"
if [ -z "$id" ]; then
  said=$(slurm sbatch --parsable <batch.sh); code=$?
  case $code in
    0) ;;
    124|137) down 'sbatch does not answer' ;;
    *) exit 65 ;;
  esac
  id=$(printf '%s\\n' "$said" | tail -n 1); id=${id%%;*}
fi
printf '%s\\n' "$id" >job.new && mv job.new job
printf '%s\\n' "$id"
""",
)

# since; on stdin a line for each submission: number or -, name, 1 for an array
OBSERVE = _script(
    _PRELUDE,
    f"format='{queue_format()}' fields='{','.join(ACCOUNTING_FIELDS)}' part='{SEPARATOR}' mark='{MARK}'",
    """\
since=$1
asked=$(cat)
up
queue=$(slurm squeue --me --states=all -h -r -O "$format") || down 'squeue does not answer'
printf '%s\\n%s\\n' "$queue" "$mark"
# The accounting is asked about what the queue does not know (any more), about what has ended, for its figures, and
# about arrays, whose elements leave the queue one by one.
{ printf '%s\\n' "$queue"; printf '%s\\n%s\\n' "$mark" "$asked"; } | awk -v part="$part" -v mark="$mark" '
  function flush() {
    if (n) print kind, list
    n = 0; list = ""
  }
  function add(what, value) {
    if (kind != what || n >= 400) flush()
    kind = what; list = list (n++ ? "," : "") value
  }
  $0 == mark { second = 1; next }
  !second {
    split($0, field, part)
    for (i in field) gsub(/^ +| +$/, "", field[i])
    seen[field[4]] = 1
    if (field[5] !~ /^(PENDING|RUNNING|CONFIGURING|COMPLETING|SUSPENDED|REQUEUE)/) ended[field[4]] = field[1]
    next
  }
  {
    split($0, word, " ")
    name = word[2]
    if (name == "" || (name in seen && !(name in ended) && word[3] != 1)) next
    if (word[1] != "-") numbers[word[1]] = 1
    if (name in ended) numbers[ended[name]] = 1
    else if (word[1] == "-") names[name] = 1
  }
  END {
    for (number in numbers) add("jobs", number)
    for (name in names) add("name", name)
    flush()
  }' | while read -r kind list; do
  if [ "$kind" = name ]; then set -- --name="$list" --starttime="$since"; else set -- --jobs="$list"; fi
  if said=$(slurm sacct -n -P --delimiter="$part" -o "$fields" "$@" 2>&1); then
    printf '%s\\n' "$said"
  else
    case $said in
      *'accounting storage is disabled'*) ;;
      *) printf 'sacct does not answer: %s\\n' "$said" >&2; exit 76 ;;
    esac
  fi
done
""",
)

# name, number or nothing
CANCEL = _script(
    _PRELUDE,
    """\
up
said=$(slurm scancel --me --name="$1" ${2:+"$2"} 2>&1) && exit 0
case $said in
  *'Invalid job id'*|*'already completing or completed'*|*'No active jobs'*) exit 0 ;;
  '') down 'scancel does not answer' ;;
  *) printf '%s\\n' "$said" >&2; exit 65 ;;
esac
""",
)

# folder of images, or nothing
INFO = _script(
    _PRELUDE,
    f"format='{PARTITION_FORMAT}' mark='{MARK}'",
    """\
up
slurm sinfo --version; printf '%s\\n' "$mark"
slurm sinfo -h -o "$format" || down 'sinfo does not answer'; printf '%s\\n' "$mark"
slurm sinfo -h -o %C; printf '%s\\n' "$mark"
slurm sinfo -h -N -t down,drain,fail,maint -o '%N %T' | sort -u; printf '%s\\n' "$mark"
slurm squeue -h -r -t PENDING,RUNNING -o %T | sort | uniq -c; printf '%s\\n' "$mark"
[ -z "$1" ] || ls -p -- "$1"
exit 0
""",
)

# file, offset, limit: its size in the first line, then the piece
LOG = """\
if [ -L "$1" ] || ! [ -f "$1" ]; then echo 0; exit 0; fi
stat -c %s -- "$1" && tail -c +"$(($2 + 1))" -- "$1" | head -c "$3"
"""

# folder of the task; logs first, then the output, as a tar; links and what is no plain file are left out
COLLECT = """\
cd "$1" 2>/dev/null || exit 0
{
  find . -maxdepth 1 -type f '(' -name task.log -o -name 'task-*.log' ')' -printf '%P\\0'
  if [ -d output ] && ! [ -L output ]; then find output -type f -print0; fi
} | tar -c -f - --format=pax --no-recursion --hard-dereference --ignore-failed-read --null -T -
code=$?
# 1: a file changed meanwhile; it is there as far as it went.
[ $code -le 1 ]
"""

# folder of all tasks, name
CLEAN = """\
cd "$1" 2>/dev/null || exit 0
rm -rf -- "$2" ".new-$2-"*
"""
