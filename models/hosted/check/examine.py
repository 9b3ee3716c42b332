"""Reads, opens and runs a model, and says what it is. Runs in the process of a check."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import Invalid
from common.serving.tensors import Array, TensorSpec
from models.hosted.check import samples
from models.hosted.check.compare import same
from models.hosted.check.confine import used_bytes
from models.hosted.formats import Found, Runner, format_of
from models.hosted.formats.card import Card, NanPolicy
from models.hosted.formats.datatypes import datatype_of

_LIBRARIES = {
    "onnx": ["onnxruntime"],
    "zip_onnx": ["onnxruntime"],
    "skops": ["skops.io", "sklearn", "pandas", "skl2onnx", "onnxruntime"],
    "lightgbm": ["lightgbm"],
    "xgboost": ["xgboost"],
    "huggingface": ["onnxruntime", "tokenizers", "onnx", "safetensors.numpy"],
}
_RUNS, _RUNS_S = 30, 2.0
_LEAST_BYTES = 200_000
_SECOND_BYTES = 64_000_000
_TOLD_CHARS = 300


def import_libraries(kind: str) -> None:
    """What is there of them; a format says what it misses."""
    for name in _LIBRARIES[kind]:
        try:
            import_module(name)
        except ImportError:
            continue
    _warm(kind)


def examine(kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Card and artefacts of a model that loads and answers.

    Raises
    ------
    Invalid
    """
    folder = Path(request["folder"])
    before = used_bytes()
    found = format_of(kind).read(Path(request["path"]), request, folder)
    chosen, runner, length, answers, before = _chosen(found, before)
    card = _described(chosen, runner, length, answers, request.get("nan"))
    # Never less than its files, though pages that were free before may have served it.
    least = sum(path.stat().st_size for path in _needed(chosen)) + _LEAST_BYTES
    card = replace(card, memory_bytes=max(_memory(chosen, runner, length, used_bytes() - before), least))
    return {"card": card.as_json(), "artefacts": {name: str(path) for name, path in chosen.artefacts.items()}}


def _memory(chosen: Found, runner: Runner, length: int, grown: int) -> int:
    """What one more of it takes, for models of which a second one can be had; the first brings the library along."""
    if grown > _SECOND_BYTES:
        return grown
    before = used_bytes()
    feeds = _rows(chosen, 1, length)
    second = _opened(chosen)
    second.run(feeds)
    # The first one has to be there as long, or its memory would serve the second.
    runner.run(feeds)
    return used_bytes() - before


def _chosen(found: Found, before: int) -> tuple[Found, Runner, int, dict[str, Array], int]:
    """How it is to be served: compiled, where that answers the same; else as it is. Last, the memory before that."""
    runner = _opened(found)
    length, answers = _first_run(found.card, runner, found.values)
    for other in found.alternatives:
        used = used_bytes()
        try:
            compiled = _opened(other)
            if same(found, runner, other, compiled):
                return other, compiled, length, compiled.run(_rows(other, 1, length)), used
        except Invalid:
            continue
    return found, runner, length, answers, before


def _opened(found: Found) -> Runner:
    card = found.card
    try:
        return format_of(card.format).open(card, lambda name: found.artefacts[name], 1)
    except (Invalid, MemoryError):
        raise
    except Exception as exc:  # noqa: BLE001 - whatever the library raises for it
        raise Invalid(f"{card.library} cannot open the model: {str(exc)[:_TOLD_CHARS]}") from None


def _first_run(card: Card, runner: Runner, values: Mapping[str, Sequence[Any]]) -> tuple[int, dict[str, Array]]:
    """A length of free dimensions with which it runs, and what it answers to one row."""
    free = any(-1 in spec.shape[1:] for spec in card.inputs)
    said = ""
    for length in samples.LENGTHS if free else (1,):
        try:
            return length, runner.run(samples.rows(card.inputs, 1, length, values))
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - as above
            if "bad_alloc" in str(exc) or "Failed to allocate" in str(exc):
                raise MemoryError from None
            said = said or str(exc)
    raise Invalid(f"the model opens, but does not run on inputs of its own signature: {said[:_TOLD_CHARS]}")


def _described(found: Found, runner: Runner, length: int, answers: dict[str, Array], nan: NanPolicy | None) -> Card:
    card = found.card
    run_s = _seconds(runner, _rows(found, 1, length))
    batches, outputs = _outputs(found, runner, length, answers)
    return replace(card, outputs=outputs, run_s=run_s, batches=batches, nan=nan or _nan_policy(found, runner, length))


def _outputs(
    found: Found, runner: Runner, length: int, answers: dict[str, Array]
) -> tuple[bool, tuple[TensorSpec, ...]]:
    """Whether rows may be run together, and the outputs as they came."""
    one = answers
    specs = tuple(_seen(name, array) for name, array in one.items())
    if not all(spec.shape and spec.shape[0] == -1 for spec in found.card.inputs):
        return False, specs
    feeds = _rows(found, 3, length)
    try:
        together = runner.run(feeds)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - its own answer to more than one row, whatever it is
        return False, specs
    free = tuple(
        TensorSpec(
            spec.name,
            spec.datatype,
            tuple(
                -1 if size == 1 and together[spec.name].shape[place] == 3 else size
                for place, size in enumerate(spec.shape)
            ),
        )
        for spec in specs
        if together[spec.name].ndim == len(spec.shape)
    )
    if len(free) != len(specs) or not all(spec.shape and spec.shape[0] == -1 for spec in free):
        return False, free if len(free) == len(specs) else specs
    for row in range(3):
        alone = runner.run({name: array[row : row + 1] for name, array in feeds.items()})
        if not all(alike(alone[name][0], together[name][row]) for name in together):
            return False, free
    return True, free


def alike(one: Any, other: Any) -> bool:
    """Equal, numbers but for the last digits."""
    first, second = np.asarray(one), np.asarray(other)
    if first.dtype.kind == "f":
        return bool(np.allclose(first, second, rtol=1e-4, atol=1e-6, equal_nan=True))
    return bool(np.array_equal(first, second))


def _nan_policy(found: Found, runner: Runner, length: int) -> NanPolicy:
    """Allowed where the model answers numbers to it, as trees do that know of missing values."""
    floats = [spec.name for spec in found.card.inputs if spec.datatype in ("FP16", "FP32", "FP64")]
    if not floats:
        return "allow"
    feeds = _rows(found, 1, length)
    for name in floats:
        feeds[name] = np.full_like(feeds[name], np.nan)
    try:
        outputs = runner.run(feeds)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - its own answer to NaN, whatever it is
        return "refuse"
    numbers = [array for array in outputs.values() if array.dtype.kind == "f"]
    return "allow" if all(bool(np.isfinite(array).all()) for array in numbers) else "refuse"


def _seen(name: str, array: Array) -> TensorSpec:
    try:
        return TensorSpec(name, datatype_of(array), tuple(array.shape))
    except KeyError:
        raise Invalid(f"the output {name!r} is of {array.dtype}, which cannot be sent; leave it out") from None


def _rows(found: Found, count: int, length: int) -> dict[str, Array]:
    return samples.rows(found.card.inputs, count, length, found.values, seed=count)


def _seconds(runner: Runner, feeds: dict[str, Array]) -> float:
    """Median of some runs."""
    taken: list[float] = []
    started = time.perf_counter()
    while len(taken) < _RUNS and time.perf_counter() - started < _RUNS_S:
        begun = time.perf_counter()
        runner.run(feeds)
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2]


def _needed(found: Found) -> list[Path]:
    names = {found.card.main, *found.card.files.values()}
    return [path for name, path in found.artefacts.items() if name in names]


def _warm(kind: str) -> None:
    """What a library takes at its first use is not the model's."""
    if kind in ("onnx", "zip_onnx", "skops", "huggingface"):
        import onnxruntime

        tiny = bytes.fromhex(_TINY)
        onnxruntime.InferenceSession(tiny, providers=["CPUExecutionProvider"]).run(None, {"x": np.zeros(1, np.float32)})


# Identity of a float, as ONNX.
_TINY = (
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a02"
    "0801620f0a0179120a0a08080112040a02080142040a00100d"
)
