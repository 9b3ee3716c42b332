"""The model alone, without HTTP: what two cores can do, and how their threads are best used.

`python -m benchmarks.sentiment.limit FOLDER COPIES [--quick]`, as a process of its own: the files of a version, and
where the copies lie that are mapped. Writes the figures as JSON.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import NotMeasured
from benchmarks.sentiment.bench import Bench, Table
from benchmarks.server import REPOSITORY

if TYPE_CHECKING:
    import onnxruntime

SECONDS = 1.5
_LIMIT_S = 300.0


@dataclass(frozen=True)
class Setting:
    """Batches of `texts` texts of `tokens` tokens: `lanes` of them at once, each on `threads` threads."""

    lanes: int
    threads: int
    texts: int
    tokens: int
    spinning: bool = False

    @property
    def title(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        spin = ", spinning" if self.spinning else ""
        batches = "1 batch" if self.lanes == 1 else f"{self.lanes} batches"
        return f"{batches} at once, {threads} each{spin}"


@dataclass(frozen=True)
class Found:
    """Texts a second, CPU of a text, how long a batch takes."""

    rate: float
    cpu_s: float
    batch_s: float


def settings(cores: int) -> list[Setting]:
    """What is compared, on so many cores."""
    made = []
    for tokens, texts in ((16, (1, 8, 16, 32)), (128, (1, 2, 8))):
        for count in texts:
            made += [Setting(cores, 1, count, tokens), Setting(1, cores, count, tokens)]
        made.append(Setting(1, cores, texts[1], tokens, spinning=True))
    return made


def measure(bench: Bench) -> None:
    """Run them all and tell."""
    folder = next(iter(bench.image.baked.values())).parent
    command = [sys.executable, "-m", "benchmarks.sentiment.limit", str(folder), str(bench.image.weights)]
    done = subprocess.run(
        command + (["--quick"] if bench.quick else []),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise NotMeasured(f"the model alone was not measured: {done.stderr[-500:]}")
    rows = [(Setting(**row["setting"]), Found(**row["found"])) for row in json.loads(done.stdout)]
    table = Table("The model alone, without HTTP:", ("batch", "threads", "texts/s", "CPU a text", "a batch takes"))
    for setting, found in rows:
        batch = f"{setting.texts} x {setting.tokens} tokens"
        cells = (f"{found.rate:.0f}", f"{found.cpu_s * 1000:.2f} ms", f"{found.batch_s * 1000:.0f} ms")
        table.rows.append((batch, setting.title, *cells))
    bench.table(table)
    for tokens in (16, 128):
        best = max(found.rate for setting, found in rows if setting.tokens == tokens)
        bench.add("ONNX Runtime alone", f"alone-{tokens}", f"texts of {tokens} tokens a second", best, "/s", decimals=1)


def main() -> None:
    from benchmarks.machine import usable_cpus

    folder, copies = Path(sys.argv[1]), Path(sys.argv[2])
    seconds = 0.3 if "--quick" in sys.argv else SECONDS
    found = []
    for setting in settings(len(usable_cpus())):
        session = _session(folder, copies, setting)
        found.append({"setting": asdict(setting), "found": asdict(_run(session, setting, seconds))})
    print(json.dumps(found))


def _session(folder: Path, copies: Path, setting: Setting) -> "onnxruntime.InferenceSession":
    """Opened as `Classifier.of_files` does, but for the threads."""
    import onnxruntime

    from common.serving.mapped_onnx import mapped

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(setting.spinning)))
    copy = mapped(folder / "model.onnx", copies)
    if copy is None:
        raise NotMeasured("the weights cannot be mapped")
    return onnxruntime.InferenceSession(str(copy), options, providers=["CPUExecutionProvider"])


def _run(session: "onnxruntime.InferenceSession", setting: Setting, seconds: float) -> Found:
    ids = np.random.default_rng(0).integers(1000, 30_000, (setting.texts, setting.tokens))
    fed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    session.run(None, fed)
    counts: list[int] = []
    until = time.monotonic() + seconds

    def work() -> None:
        count = 0
        while time.monotonic() < until:
            session.run(None, fed)
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=work) for _ in range(setting.lanes)]
    began, used = time.monotonic(), _cpu_s()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall_s, cpu_s, texts = time.monotonic() - began, _cpu_s() - used, sum(counts) * setting.texts
    return Found(texts / wall_s, cpu_s / texts, wall_s * setting.lanes / sum(counts))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
