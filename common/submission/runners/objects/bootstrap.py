"""What a container runs: a short sh that fetches the task's files, runs `run.sh`, and puts log and results back.

It needs sh, tar with gzip or Python, and curl or Python, in the image; nothing of the cloud's own tools. Signed
addresses are kept from the list of processes and from the program's environment.

Exit code: the program's; 124 after the time limit, 143 when it was told to end, 125 if the files could not be fetched
or put back. A container that finds the task claimed by another cluster job ends with 0 and does nothing.
"""

_PYTHON = r"""
import os, sys, time, urllib.error, urllib.request

method, path, extra = sys.argv[1], sys.argv[2], sys.argv[3:]


def send():
    if method == "GET":
        with urllib.request.urlopen(os.environ["ATOLL_URL"], timeout=60) as answer, open(path, "wb") as file:
            while chunk := answer.read(1 << 20):
                file.write(chunk)
        return answer.status
    headers = {"Content-Length": str(os.path.getsize(path)), "Content-Type": "application/octet-stream"}
    headers.update(line.split(": ") for line in extra)
    with open(path, "rb") as body:
        request = urllib.request.Request(os.environ["ATOLL_URL"], body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status


status = 0
for wait_s in (1, 2, 4, 8, 0):
    try:
        status = send()
    except urllib.error.HTTPError as error:
        status = error.code
    except OSError:
        status = 0
    if status and status < 500 and status not in (408, 429):
        break
    time.sleep(wait_s)
print(f"{status:03d}")
"""

SCRIPT = (
    r"""set -u
fail() { printf 'atoll: %s\n' "$1" >&2; exit 125; }
manifest=$ATOLL_MANIFEST
unset ATOLL_MANIFEST
umask 077
home=$(mktemp -d "${TMPDIR:-/tmp}/atoll-XXXXXX") || fail "there is no room for files"
trap 'rm -rf "$home"' EXIT
if command -v curl >/dev/null 2>&1; then
  request() {
    method=$1 file=$2 url=$3
    shift 3
    # The address on stdin: arguments are seen by all.
    if [ "$method" = GET ]; then set -- -o "$file"; else set -- -T "$file" -o /dev/null -H Expect: "$@"; fi
    printf 'url = "%s"\n' "$url" | curl -sS -K - --retry 5 --connect-timeout 20 -w '%{http_code}' "$@"
  }
elif command -v python3 >/dev/null 2>&1; then
  cat >"$home/request.py" <<'END_OF_PYTHON'
"""
    + _PYTHON.strip()
    + r"""
END_OF_PYTHON
  request() {
    method=$1 file=$2 url=$3
    shift 3
    for word do shift; [ "$word" = -H ] || set -- "$@" "$word"; done
    ATOLL_URL=$url python3 "$home/request.py" "$method" "$file" "$@"
  }
else
  fail "the image has neither curl nor python3; choose one that has"
fi
put() { request PUT "$1" "$2" -H 'x-ms-blob-type: BlockBlob'; }

status=$(request GET "$home/manifest" "$manifest")
[ "$status" = 200 ] || fail "the task's files cannot be fetched (status $status)"
package= log= output= end= claim= owner= index= limit=0 log_every=0
while read -r element word value; do
  case $element in "*" | "$ATOLL_ELEMENT") ;; *) continue ;; esac
  case $word in
    package) package=$value ;; log) log=$value ;; output) output=$value ;; end) end=$value ;;
    claim) claim=$value ;; owner) owner=$value ;; index) index=$value ;;
    limit) limit=$value ;; log_every) log_every=$value ;;
  esac
done <"$home/manifest"
rm -f "$home/manifest"
[ -n "$package" ] && [ -n "$log" ] || fail "the task has no element $ATOLL_ELEMENT"

if [ -n "$claim" ]; then
  printf '%s' "$ATOLL_CLUSTER_JOB_ID" >"$home/owner"
  status=$(request PUT "$home/owner" "$claim" -H 'x-ms-blob-type: BlockBlob' -H 'If-None-Match: *')
  case $status in
    200 | 201) ;;
    409 | 412)
      [ "$(request GET "$home/holder" "$owner")" = 200 ] || fail "the task's claim cannot be read"
      holder=$(cat "$home/holder")
      if [ "$holder" != "$ATOLL_CLUSTER_JOB_ID" ]; then
        printf 'atoll: this task is run by the job %s; %s leaves it alone\n' "$holder" "$ATOLL_CLUSTER_JOB_ID" >&2
        exit 0
      fi
      ;;
    *) fail "the task cannot be claimed (status $status)" ;;
  esac
fi

status=$(request GET "$home/package" "$package")
[ "$status" = 200 ] || fail "the task's files cannot be fetched (status $status)"
mkdir "$home/task"
if command -v tar >/dev/null 2>&1 && command -v gzip >/dev/null 2>&1; then
  tar -xzf "$home/package" -C "$home/task" || fail "the task's files cannot be unpacked"
else
  python3 -m tarfile -e "$home/package" "$home/task" || fail "the image has neither tar and gzip nor python3"
fi
rm -f "$home/package"

oom_kills() {
  cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null | {
    count=0
    while read -r word value; do [ "$word" != oom_kill ] || count=$value; done
    echo "$count"
  }
}
cpu_us() {
  while read -r word value; do [ "$word" != usage_usec ] || echo "$value"; done 2>/dev/null </sys/fs/cgroup/cpu.stat
}
oom_before=$(oom_kills)
cpu_before=$(cpu_us 2>/dev/null)
began=$(date +%s)

export ATOLL_TASK_DIR="$home/task" ATOLL_CLUSTER_JOB_ID ATOLL_ARRAY_INDEX="$index"
: >"$home/log"
mkfifo "$home/pipe"
tee -a "$home/log" <"$home/pipe" &
tee=$!
# A group of its own, so that all of the program can be ended.
if command -v setsid >/dev/null 2>&1; then group=setsid; else group=; fi
(
  $group sh -c 'echo $$ >"$1/pid"; exec sh "$1/task/run.sh"' sh "$home" >"$home/pipe" 2>&1 &
  # A shell that waits for a command says of one that was killed that it was: not into the task's log.
  wait $!
  echo $? >"$home/code.new"
  mv "$home/code.new" "$home/code"
) 2>/dev/null &
runner=$!
end_program() {
  pid=$(cat "$home/pid" 2>/dev/null) || return 0
  if [ -n "$group" ]; then kill -s "$1" -- "-$pid" 2>/dev/null; else kill -s "$1" "$pid" 2>/dev/null; fi
}
how=done
patience=
sent_bytes=0
sent_at=$began
ticks=0
trap '[ "$how" != done ] || how=stopped' TERM INT
while [ ! -e "$home/code" ] && kill -0 "$runner" 2>/dev/null; do
  ticks=$((ticks + 1))
  # A short program need not wait for a whole second.
  if [ "$ticks" -le 20 ]; then sleep 0.1 2>/dev/null || sleep 1; else sleep 1; fi
  now=$(date +%s)
  if [ "$limit" -gt 0 ] && [ $((now - began)) -ge "$limit" ] && [ "$how" = done ]; then how=timed-out; fi
  if [ "$how" != done ]; then
    if [ -z "$patience" ]; then patience=$((now + 10)) && end_program TERM; fi
    if [ "$now" -ge "$patience" ]; then end_program KILL; fi
  fi
  if [ "$log_every" -gt 0 ] && [ $((now - sent_at)) -ge "$log_every" ]; then
    bytes=$(wc -c <"$home/log")
    if [ "$bytes" -gt "$sent_bytes" ] && [ "$bytes" -le 33554432 ]; then put "$home/log" "$log" >/dev/null; fi
    sent_bytes=$bytes
    sent_at=$now
  fi
done
code=$(cat "$home/code" 2>/dev/null || echo 137)
case $how in timed-out) code=124 ;; stopped) code=143 ;; esac
# What it left behind in its group holds the pipe open.
[ -z "$group" ] || end_program KILL
waited=0
while kill -0 "$tee" 2>/dev/null && [ "$waited" -lt 30 ]; do
  sleep 0.1 2>/dev/null || sleep 1
  waited=$((waited + 1))
done

if [ -d "$home/task/output" ]; then
  (
    cd "$home/task" || exit 1
    if command -v tar >/dev/null 2>&1 && command -v gzip >/dev/null 2>&1; then tar -czf "$home/output.tar.gz" output
    else python3 -m tarfile -c "$home/output.tar.gz" output; fi
  ) || fail "the results cannot be packed"
  status=$(put "$home/output.tar.gz" "$output")
  case $status in
    200 | 201) ;;
    *)
      printf 'atoll: the results cannot be put back (status %s)\n' "$status" | tee -a "$home/log" >&2
      [ "$code" != 0 ] || code=125
      ;;
  esac
fi
put "$home/log" "$log" >/dev/null
if [ -n "$end" ]; then
  {
    echo "code $code"
    echo "how $how"
    echo "began $began"
    echo "ended $(date +%s)"
    echo "host $(uname -n)"
    echo "oom $(($(oom_kills) - oom_before))"
    cpu_after=$(cpu_us 2>/dev/null)
    [ -z "$cpu_before" ] || [ -z "$cpu_after" ] || echo "cpu_us $((cpu_after - cpu_before))"
    peak=$(cat /sys/fs/cgroup/memory.peak 2>/dev/null)
    [ -z "$peak" ] || echo "peak $peak"
  } >"$home/end"
  put "$home/end" "$end" >/dev/null
fi
exit "$code"
"""
)
