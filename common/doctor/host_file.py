"""`host.json`, what the Functions host is told. Pure.

Reference: https://learn.microsoft.com/azure/azure-functions/functions-host-json and
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#hostjson-settings
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from common.doctor.finding import Finding
from common.doctor.plans import Plan

_BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"
# What the queue functions were tested with.
_BUNDLE_MAJOR = 4
_RANGE = re.compile(r"\[\s*(\d+)(?:\.[\d*]+)*\s*,\s*(\d+)(?:\.\d+)*\s*([)\]])")
_TIME = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
# A database that is restarted is back after about so long. Until then messages are given back.
_OUTAGE_S = 60.0
_LONGEST_POLL_S = 60.0
_LARGEST_BATCH = 32


def check_host(host: Mapping[str, Any], plan: Plan) -> Iterator[Finding]:
    """All findings about the content of `host.json`."""
    found = [*_version(host), *_bundle(host), *_queues(host), *_http(host), *_timeout(host, plan), *_sampling(host)]
    yield from found or [Finding("host", "ok", "host.json: bundle, queues, routes and times are as Atoll needs them")]


def _at(host: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """A value by the names that lead to it, separated by dots."""
    value: Any = host
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return default
        value = value[name]
    return value


def _error(what: str, why: str, todo: str) -> Finding:
    return Finding("host", "error", f"host.json: {what}", why, todo)


def _warning(what: str, why: str, todo: str) -> Finding:
    return Finding("host", "warning", f"host.json: {what}", why, todo)


def _version(host: Mapping[str, Any]) -> Iterator[Finding]:
    if host.get("version") != "2.0":
        yield _error(
            f"version is {host.get('version')!r}",
            "the host reads only schema 2.0 and ignores or refuses the rest",
            'set "version": "2.0"',
        )


def _bundle(host: Mapping[str, Any]) -> Iterator[Finding]:
    todo = f'set "extensionBundle" to {{"id": "{_BUNDLE}", "version": "[4.*, 5.0.0)"}}'
    name, version = _at(host, "extensionBundle.id"), _at(host, "extensionBundle.version")
    if name != _BUNDLE:
        told = "is missing" if name is None else f"is {name!r}"
        yield _error(f"extensionBundle {told}", "without the bundle the host knows no queue triggers", todo)
        return
    found = _RANGE.fullmatch(str(version).strip())
    if found is None:
        yield _error(f"the bundle's version {version!r} is no range", "the host does not start", todo)
        return
    low, high, end = int(found[1]), int(found[2]), found[3]
    if low != _BUNDLE_MAJOR:
        why = "older bundles are no longer supported" if low < _BUNDLE_MAJOR else "Atoll was tested with 4.x only"
        yield _error(f"the bundle's version {version} begins with {low}", why, todo)
    elif high > _BUNDLE_MAJOR + 1 or (high == _BUNDLE_MAJOR + 1 and end == "]"):
        yield _warning(
            f"the bundle's version {version} admits {high}.x",
            "a new major version may change defaults such as the encoding of queue messages",
            todo,
        )


def _queues(host: Mapping[str, Any]) -> Iterator[Finding]:
    encoding = _at(host, "extensions.queues.messageEncoding", "base64")
    if encoding != "base64":
        yield _error(
            f"queues.messageEncoding is {encoding!r}",
            "Atoll writes messages as base64: every message would end in the poison queue, and its job be dead",
            'set "messageEncoding": "base64"',
        )
    yield from _repeats(host)
    yield from _batches(host)
    poll_s = _seconds(_at(host, "extensions.queues.maxPollingInterval", "00:01:00"))
    if poll_s is None or poll_s > _LONGEST_POLL_S:
        yield _warning(
            f"queues.maxPollingInterval is {_at(host, 'extensions.queues.maxPollingInterval')!r}",
            "a job that comes after a quiet time waits as long before it begins",
            'set "maxPollingInterval": "00:00:05"',
        )


def _repeats(host: Mapping[str, Any]) -> Iterator[Finding]:
    count = _at(host, "extensions.queues.maxDequeueCount", 5)
    hidden = _at(host, "extensions.queues.visibilityTimeout", "00:00:00")
    hidden_s = _seconds(hidden)
    if not _is_number(count, lambda number: number >= 2):
        yield _error(
            f"queues.maxDequeueCount is {count!r}",
            "a message whose function fails once, e.g. while the database restarts, makes its job dead",
            'set "maxDequeueCount": 5',
        )
    elif hidden_s is None:
        yield _error(f"queues.visibilityTimeout is {hidden!r}", "the host does not start", 'write it as "00:00:30"')
    elif (count - 1) * hidden_s < _OUTAGE_S:
        yield _warning(
            f"a message is tried {count} times with {hidden_s:.0f} s between (maxDequeueCount, visibilityTimeout)",
            f"a database that is away for {(count - 1) * hidden_s:.0f} s makes the jobs that come meanwhile dead",
            'set "visibilityTimeout": "00:00:30" and "maxDequeueCount": 5',
        )


def _batches(host: Mapping[str, Any]) -> Iterator[Finding]:
    batch = _at(host, "extensions.queues.batchSize", 16)
    if not _is_number(batch, lambda number: 1 <= number <= _LARGEST_BATCH):
        yield _error(f"queues.batchSize is {batch!r}", "Azure gives 1 to 32 messages at once", 'set "batchSize": 1')
        return
    more = _at(host, "extensions.queues.newBatchThreshold", batch // 2)
    if not _is_number(more, lambda number: number >= 0):
        yield _error(f"queues.newBatchThreshold is {more!r}", "the host does not start", 'set "newBatchThreshold": 0')
    elif batch + more > 1:
        yield _warning(
            f"an instance runs up to {batch + more} messages of each queue at once (batchSize + newBatchThreshold)",
            "jobs use whole CPUs: together they take longer, and their memory adds up",
            'set "batchSize": 1 and "newBatchThreshold": 0; more instances run more jobs',
        )
    if _at(host, "concurrency.dynamicConcurrencyEnabled", False):
        yield _warning(
            "concurrency.dynamicConcurrencyEnabled is on",
            "the host then chooses itself how many jobs run at once, and does not read batchSize",
            'set "dynamicConcurrencyEnabled": false',
        )


def _http(host: Mapping[str, Any]) -> Iterator[Finding]:
    prefix = _at(host, "extensions.http.routePrefix", "api")
    if prefix != "":
        yield _error(
            f"http.routePrefix is {prefix!r}",
            f"every route would lie below /{prefix}, and clients, probes and links of Atoll would find nothing",
            'set "routePrefix": ""',
        )


def _timeout(host: Mapping[str, Any], plan: Plan) -> Iterator[Finding]:
    given = host.get("functionTimeout")
    if given is None:
        return
    longest_s, seconds = plan.longest_run_s, None if str(given) == "-1" else _seconds(given)
    if seconds is None and str(given) != "-1":
        yield _error(f"functionTimeout is {given!r}", "the host does not start", 'write it as "00:10:00"')
    elif longest_s is not None and (seconds is None or seconds > longest_s):
        yield _error(
            f"functionTimeout is {given}",
            f"the plan {plan.name} allows {longest_s / 60:.0f} minutes; the host does not start",
            'set "functionTimeout": "00:10:00"',
        )


def _sampling(host: Mapping[str, Any]) -> Iterator[Finding]:
    sampling = _at(host, "logging.applicationInsights.samplingSettings", {})
    if _at(sampling, "isEnabled", True) and "Request" not in str(_at(sampling, "excludedTypes", "")).split(";"):
        yield _warning(
            "requests are sampled",
            "Application Insights then has only some of them, and counts and rates of errors are estimates",
            'set "excludedTypes": "Request" in samplingSettings',
        )


def _is_number(value: object, test: Callable[[int], bool]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and test(value)


def _seconds(text: object) -> float | None:
    """A time span of .NET (`hh:mm:ss`, `d.hh:mm:ss`) in seconds; None if it is none."""
    found = _TIME.fullmatch(str(text))
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 86_400.0 * days + 3_600.0 * hours + 60.0 * minutes + seconds
