"""How long `atoll --help` takes, as people wait for it."""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.console.bench import Bench
from benchmarks.report import NotMeasured, Reach, Timing

HELP_S = 0.2
_TIMES = 15


def measure(bench: Bench) -> None:
    program = Path(sys.executable).with_name("atoll")
    if not program.is_file():
        raise NotMeasured(f"{program} is not installed: `make setup` brings it")
    seconds = []
    for turn in range(3 if bench.is_quick else _TIMES + 1):
        began_s = time.perf_counter()
        subprocess.run([str(program), "--help"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        # The first one reads files that the others find in memory.
        if turn:
            seconds.append(time.perf_counter() - began_s)
    bench.report.add(Timing("command line", "help", "`atoll --help`", tuple(seconds), Reach(HELP_S, "median")))
