"""What the container runs around `run.sh`. Pure: POSIX sh, and of programs base64, tar, gzip, mkfifo and tee.

Inline, the files come packed in a variable, and the outputs leave at the end of the log, between two lines. With a
share, files and outputs lie in the task's folder, and the log is kept there too. Either way TERM reaches the program,
and what it used is told to the kubelet as the container's termination message.

Kubernetes replaces `$(NAME)` of the container's own variables, and `$$`, in what it is given to run: neither is in it.
"""

PACKAGE, ARRAY, JOB_ID, TASK_DIR = "ATOLL_PACKAGE", "ATOLL_ARRAY", "ATOLL_CLUSTER_JOB_ID", "ATOLL_TASK_DIR"
# As run.sh ends when it cannot begin.
_NOT_BEGUN = 125
BEGIN, END = "-----BEGIN ATOLL OUTPUT-----", "-----END ATOLL OUTPUT-----"

_HEAD = """\
umask 022
if [ -n "${ATOLL_ARRAY:-}" ]; then
  set -- $ATOLL_ARRAY
  shift "${JOB_COMPLETION_INDEX:-0}"
  export ATOLL_ARRAY_INDEX="$1"
  unset ATOLL_ARRAY
fi
scratch=`mktemp -d "${TMPDIR:-/tmp}/atoll.XXXXXX"` || exit NOT_BEGUN
trap 'rm -rf "$scratch"' EXIT
"""

_UNPACK = """\
if ! printf %s "$ATOLL_PACKAGE" | base64 -d | tar -xzf - -C "$scratch"; then
  echo 'atoll: the files cannot be unpacked: the image needs base64, tar and gzip' >&2
  exit NOT_BEGUN
fi
unset ATOLL_PACKAGE
export ATOLL_TASK_DIR="$scratch"
sh "$scratch/run.sh" 2>&1 &
"""

_ON_SHARE = """\
if [ ! -r "$ATOLL_TASK_DIR/run.sh" ]; then
  echo "atoll: there is no $ATOLL_TASK_DIR/run.sh: does the claim hold Atoll's share?" >&2
  exit NOT_BEGUN
fi
mkfifo "$scratch/log" || exit NOT_BEGUN
tee -a "$ATOLL_TASK_DIR/task${ATOLL_ARRAY_INDEX:+-$ATOLL_ARRAY_INDEX}.log" <"$scratch/log" &
tee=$!
sh "$ATOLL_TASK_DIR/run.sh" >"$scratch/log" 2>&1 &
"""

_WAIT = """\
program=$!
trap 'kill -TERM "$program" 2>/dev/null' TERM INT
wait "$program"
code=$?
while kill -0 "$program" 2>/dev/null; do
  wait "$program"
  code=$?
done
"""

# What the program left running holds the pipe open, and ends with the container.
_LAST_LINES = """\
tries=0
while kill -0 "$tee" 2>/dev/null && [ "$tries" -lt 50 ]; do
  sleep 0.1 || sleep 1
  tries=$((tries + 1))
done
"""

_OUTPUT = """\
if [ -d "$scratch/output" ] && [ -n "`ls -A "$scratch/output"`" ]; then
  if tar -czf "$scratch/output.tgz" -C "$scratch" output; then
    size=$((`wc -c <"$scratch/output.tgz"`))
    if [ "$size" -le LIMIT ]; then
      printf '\\n%s\\n' 'BEGIN'
      base64 "$scratch/output.tgz"
      printf '%s\\n' 'END'
    else
      echo "atoll: the outputs are $size bytes when packed; by the log come back at most LIMIT. Configure a share"
    fi
  else
    echo 'atoll: the outputs cannot be packed'
  fi
fi
"""

_REPORT = """\
if [ -w /dev/termination-log ]; then
  cpu=`sed -n 's/^usage_usec //p' /sys/fs/cgroup/cpu.stat 2>/dev/null`
  peak=`cat /sys/fs/cgroup/memory.peak 2>/dev/null`
  echo "atoll cpu_us=$cpu peak_bytes=$peak" >/dev/termination-log
fi
exit "$code"
"""


def inline(max_output_bytes: int) -> str:
    """For files that come in `ATOLL_PACKAGE`.

    Parameters
    ----------
    max_output_bytes : of the packed outputs; larger ones stay behind, with a line in the log.
    """
    output = (
        _OUTPUT.replace("LIMIT", str(max_output_bytes)).replace("'BEGIN'", f"'{BEGIN}'").replace("'END'", f"'{END}'")
    )
    return _told(_HEAD + _UNPACK + _WAIT + output + _REPORT)


def on_share() -> str:
    """For files that lie in `ATOLL_TASK_DIR`."""
    return _told(_HEAD + _ON_SHARE + _WAIT + _LAST_LINES + _REPORT)


def _told(text: str) -> str:
    return text.replace("NOT_BEGUN", str(_NOT_BEGUN))
