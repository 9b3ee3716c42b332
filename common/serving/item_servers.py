"""The item servers of a process, one a model, made from what its plugin declares."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from common.errors import NotFound
from common.plugins.fingerprint import code_version
from common.plugins.record import PluginRecord
from common.serving.batcher import Batching, Outcome
from common.serving.cache import ByteCache
from common.serving.items import ItemServer
from common.serving.second_level import SecondLevel

_JSON = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class ItemServers:
    """By the model's name; each is made when it is first asked for.

    Parameters
    ----------
    lanes : batches that a model may run at once; the threads are shared by all models.
    """

    def __init__(
        self, records: Sequence[PluginRecord], cache: ByteCache, second: SecondLevel | None, lanes: int
    ) -> None:
        self._records = {record.name: record for record in records}
        self._cache = cache
        self._second = second
        self._lanes = lanes
        # Apart from those of the pool: a prediction of seconds there must not hold up batches of milliseconds.
        self._executor = ThreadPoolExecutor(lanes, thread_name_prefix="batch")
        self._lock = threading.Lock()
        self._made: dict[str, ItemServer[Any]] = {}

    def __getitem__(self, name: str) -> ItemServer[Any]:
        """The server of the model `name`. Raises NotFound where it declares no `predict_batch`."""
        found = self._made.get(name)
        if found is not None:
            return found
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def _make(self, name: str) -> ItemServer[Any]:
        record = self._records.get(name)
        declared = None if record is None else record.plugin.predict_batch
        if record is None or declared is None:
            raise NotFound(f"{name} predicts no items here")
        how = declared if isinstance(declared, Batching) else Batching(declared)
        return ItemServer(
            name,
            replace(how, run=partial(_encoded, how.run)),
            version=record.plugin.version or partial(code_version, record.module),
            kept=record.plugin.cache,
            cache=self._cache,
            second=self._second,
            executor=self._executor,
            lanes=self._lanes,
        )


def _encoded(run: Callable[[Sequence[Any]], Sequence[Any]], items: Sequence[Any]) -> list[Outcome]:
    """Results as JSON, on the thread of the batch."""
    return [
        found if isinstance(found, Exception | bytes) else orjson.dumps(found, option=_JSON) for found in run(items)
    ]
