"""The clients: they submit jobs over HTTP with idempotency keys, ask again until they are told, and watch the ends."""

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx

from tests.campaign.checks import FINAL, Submitted
from tests.campaign.work import answer

# A client that hears nothing for so long asks again.
_TIMEOUT_S = 10.0
_PAUSE_S = 0.3
_LARGE_BYTES = 300_000
# Weights of what is asked for.
_MIX = {"predict": 40, "steps": 22, "search": 18, "parallel": 8, "large": 4, "refuse": 3, "raise": 3, "exit": 2}
_ENDS = {"refuse": "failed", "raise": "dead", "exit": "failed"}
_SEEDS = 4


class Load:
    """Keeps so many jobs under way. `start`, then `stop` to submit no more, then `wait`.

    Attributes
    ----------
    jobs : everything that was accepted, and what its client saw.
    """

    def __init__(self, url: str, rng: random.Random, under_way: int = 14, clients: int = 2) -> None:
        self.jobs: list[Submitted] = []
        self.troubles: Counter[str] = Counter()
        self._url = url
        self._rng = rng
        self._under_way = under_way
        self._stopping = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._numbers = iter(range(10**9))
        self._cancel_at: dict[str, float] = {}
        self._submitters = [threading.Thread(target=self._submit_all, daemon=True) for _ in range(clients)]
        self._watcher = threading.Thread(target=self._watch_all, daemon=True)

    def start(self) -> None:
        for thread in (*self._submitters, self._watcher):
            thread.start()

    def stop(self) -> None:
        """Submit nothing more; what was asked for already is asked for until it is accepted."""
        self._stopping.set()
        for thread in self._submitters:
            thread.join(120)

    def close(self) -> None:
        self._closing.set()
        self._watcher.join(30)

    def open(self) -> list[Submitted]:
        """Accepted jobs whose end no client has seen."""
        with self._lock:
            return [job for job in self.jobs if job.seen is None]

    def _submit_all(self) -> None:
        with self._client() as client:
            while not self._stopping.is_set():
                if len(self.open()) >= self._under_way:
                    self._stopping.wait(0.1)
                    continue
                with self._lock:
                    job, path, body = self._draw()
                self._submit(client, job, path, body)
                if self._rng.random() < 0.1:
                    # A client that lost the answer asks again; the same key gives the same job.
                    self._submit(client, job, path, body)

    def _submit(self, client: httpx.Client, job: Submitted, path: str, body: bytes) -> None:
        headers = {"Idempotency-Key": job.token, "Prefer": "respond-async", "Content-Type": "application/json"}
        until_s = time.monotonic() + 180
        while time.monotonic() < until_s:
            try:
                told = client.post(path, content=body, headers=headers)
            except httpx.TransportError as exc:
                self.troubles[type(exc).__name__] += 1
                time.sleep(_PAUSE_S)
                continue
            if told.status_code == 202:
                with self._lock:
                    if not job.ids:
                        self.jobs.append(job)
                    job.ids.add(told.json()["id"])
                return
            self.troubles[f"HTTP {told.status_code}"] += 1
            if told.status_code < 500 and told.status_code not in (424, 429):
                raise AssertionError(f"{path} was answered {told.status_code}: {told.text[:500]}")
            time.sleep(_PAUSE_S)

    def _draw(self) -> tuple[Submitted, str, bytes]:
        rng = self._rng
        kind = rng.choices(list(_MIX), list(_MIX.values()))[0]
        token = f"{kind}-{next(self._numbers)}-{rng.getrandbits(32):08x}"
        size = _LARGE_BYTES if kind == "large" else rng.randint(20, 20_000)
        job = Submitted(token, kind, _ENDS.get(kind, "succeeded"), size)
        body = {"token": token, "size_bytes": size, "seconds": round(rng.uniform(0.1, 2.0), 2)}
        if rng.random() < 0.06:
            self._cancel_at[token] = time.monotonic() + rng.uniform(0.2, 3)
        if kind in ("predict", "large"):
            return job, "/campaign/predict", json.dumps(body).encode()
        seed = rng.randrange(_SEEDS)
        job.searched = seed if kind == "search" else None
        body |= {"way": "search" if kind == "parallel" else kind, "seed": seed}
        path = "/campaign/train?parallel_trials=2" if kind == "parallel" else "/campaign/train"
        return job, path, json.dumps(body).encode()

    def _watch_all(self) -> None:
        with self._client() as client:
            while not self._closing.is_set():
                for job in self.open():
                    try:
                        self._watch(client, job)
                    except httpx.TransportError as exc:
                        self.troubles[type(exc).__name__] += 1
                        self._closing.wait(_PAUSE_S)
                self._closing.wait(_PAUSE_S)

    def _watch(self, client: httpx.Client, job: Submitted) -> None:
        if time.monotonic() > self._cancel_at.get(job.token, float("inf")):
            if client.delete(f"/jobs/{job.id}").status_code == 200:
                job.cancelled = True
            # Only once; where the answer was lost, the end tells.
            self._cancel_at.pop(job.token, None)
        told = client.get(f"/jobs/{job.id}")
        if told.status_code == 404:
            job.seen = "unknown"
        elif told.status_code != 200:
            self.troubles[f"HTTP {told.status_code}"] += 1
        elif told.json()["state"] in FINAL:
            job.seen = told.json()["state"]

    @contextlib.contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self._url, timeout=_TIMEOUT_S, trust_env=False) as client:
            yield client


def read_results(url: str, jobs: list[Submitted]) -> tuple[list[str], dict[int, dict[str, bytes]]]:
    """Read every result again over HTTP; what is wrong with them, and what the searches published by seed.

    A prediction's result has to be the bytes that the direct call gives; of a training, each artefact of its version.
    """
    wrong: list[str] = []
    found: dict[int, dict[str, bytes]] = {}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for job in jobs:
            if job.seen != "succeeded" or job.id is None:
                continue
            told = client.get(f"/jobs/{job.id}/result")
            if told.status_code != 200:
                wrong.append(f"result of {job.id}: {told.status_code} {told.text[:200]}")
            elif job.kind in ("predict", "large"):
                if told.content != answer(job.token, job.size_bytes):
                    wrong.append(f"result of {job.id} is not what the direct call answers")
            elif job.searched is not None:
                found.setdefault(job.searched, {})[job.id] = json.dumps(told.json()["best_params"]).encode()
        for job in [job for job in jobs if job.kind == "predict"][:5]:
            body = {"token": job.token, "size_bytes": job.size_bytes}
            direct = client.post("/campaign/predict", json=body)
            if direct.content != answer(job.token, job.size_bytes):
                wrong.append(f"the direct call of {job.token} gives other bytes: {direct.status_code}")
    return wrong, found
