"""Asks each process of a server for `/health/live` on a fixed beat; a process of its own, started by `benchmarks.load`.

`python -m benchmarks.prober PORT PID…`: writes "ready" when it has a connection to each process, probes until stdin is
closed, then writes what it saw as JSON.
"""

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

from benchmarks.client import Client, NoAnswer, one_for_each

BEAT_S = 0.05


@dataclass
class Seen:
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def probe(client: Client, stop: threading.Event, seen: Seen) -> None:
    """On the beat. A probe that is late because the one before it hung is timed from its beat: the time that a hanging
    server keeps probes from being sent counts too.
    """
    beat = time.perf_counter()
    while not stop.wait(max(0.0, beat - time.perf_counter())):
        late = time.perf_counter() - beat if seen.seconds and seen.seconds[-1] > BEAT_S else 0.0
        try:
            reply = client.get("/health/live")
            if reply.status != 200:
                seen.errors.append(str(reply.status))
            seen.seconds.append(reply.took_s + late)
        except NoAnswer as exc:
            seen.errors.append(str(exc))
        beat += BEAT_S


def main() -> None:
    port, *pids = map(int, sys.argv[1:])
    seen = {pid: Seen() for pid in pids}
    stop = threading.Event()
    clients = one_for_each(port, pids)
    probes = [threading.Thread(target=probe, args=(clients[pid], stop, seen[pid])) for pid in pids]
    for thread in probes:
        thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in probes:
        thread.join()
    json.dump([asdict(found) for found in seen.values()], sys.stdout)


if __name__ == "__main__":
    main()
