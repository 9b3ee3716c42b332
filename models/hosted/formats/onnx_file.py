"""ONNX files, by ONNX Runtime."""

import mmap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import Invalid
from common.serving import mapped_onnx
from common.serving.tensors import Array, TensorSpec
from models.hosted.formats import Found
from models.hosted.formats.card import Card
from models.hosted.formats.datatypes import ONNX
from models.hosted.formats.protobuf import Damaged, external_files, producer

if TYPE_CHECKING:
    import onnxruntime

MODEL = "model.onnx"
_TOLD_CHARS = 300
_COPIES = 32


def read(path: Path, request: Mapping[str, Any], folder: Path) -> Found:
    """A single file; one that keeps tensors in others has to come in an archive with them."""
    content = mapped(path)
    outside = external(content)
    if outside:
        raise Invalid(
            f"the model keeps tensors in {outside[0][:120]!r}, which is another file; pack both in one .zip, or save "
            "the model in one file (`onnx.save` without `save_as_external_data`)"
        )
    return described(path, content, request, {})


def external(content: memoryview) -> list[str]:
    """Names of the files that it keeps tensors in. Raises Invalid."""
    try:
        return external_files(content)
    except Damaged as exc:
        raise Invalid(f"the ONNX file cannot be read: {exc}; send it again") from None


def described(path: Path, content: memoryview, request: Mapping[str, Any], data: Mapping[str, Path]) -> Found:
    """What a file says of itself. data: files that it keeps tensors in, by the names it gives them."""
    import onnxruntime

    try:
        session = open_session(path, data, 1)
    except Exception as exc:  # noqa: BLE001 - the runtime's errors have no class in common
        if "bad_alloc" in str(exc):
            raise MemoryError from None
        raise Invalid(f"ONNX Runtime {onnxruntime.__version__} cannot open the model: {_said(exc)}") from None
    inputs = [_spec(one, "input") for one in session.get_inputs()]
    if not inputs:
        raise Invalid("the model has no inputs; give one that is asked something")
    artefacts = {_artefact(number, name): file for number, (name, file) in enumerate(data.items())}
    card = Card(
        format="onnx",
        library="onnxruntime",
        library_version=str(request.get("library_version") or onnxruntime.__version__),
        producer=producer(content) or "unknown",
        main=MODEL,
        original=MODEL,
        inputs=tuple(inputs),
        files={name: _artefact(number, name) for number, name in enumerate(data)},
        options={"outputs": [one.name for one in session.get_outputs()]},
    )
    return Found(card, {MODEL: path, **artefacts})


def open(card: Card, files: Callable[[str], Path], threads: int, cache: Path | None = None) -> "OnnxRunner":  # noqa: A001 - what a format does
    data = {name: files(artefact) for name, artefact in card.files.items()}
    return OnnxRunner(open_session(files(card.main), data, threads, cache), [spec.name for spec in card.outputs])


class OnnxRunner:
    """A session. Outputs that are sequences of mappings, as scikit-learn's converter makes them, become columns."""

    def __init__(self, session: "onnxruntime.InferenceSession", outputs: Sequence[str] = ()) -> None:
        self._run = session.run
        self._names = list(outputs) or [one.name for one in session.get_outputs()]
        self._inputs = [(one.name, ONNX[one.type]) for one in session.get_inputs()]
        self._texts = [name for name, datatype in self._inputs if datatype == "BYTES"]
        maps = any(not one.type.startswith("tensor") for one in session.get_outputs())
        texts = any(one.type == "tensor(string)" for one in session.get_outputs())
        self._plain = not (maps or texts or self._texts)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        if self._plain:
            return dict(zip(self._names, self._run(self._names, feeds), strict=True))
        fed = dict(feeds)
        for name in self._texts:
            fed[name] = as_text(fed[name])
        return {name: as_columns(found) for name, found in zip(self._names, self._run(self._names, fed), strict=True)}


def mapped(path: Path) -> memoryview:
    """A file's bytes, not read before they are asked for."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def as_text(array: Array) -> Array:
    """BYTES as the runtime wants them: objects of str."""
    flat = [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in array.ravel()]
    made = np.empty(len(flat), object)
    made[:] = flat
    return made.reshape(array.shape)


def as_columns(found: Any) -> Array:
    """An output as a tensor: of mappings the values side by side, of texts bytes."""
    if isinstance(found, list):
        return np.array([list(one.values()) if isinstance(one, dict) else one for one in found])
    if found.dtype.kind in "OU":
        flat = [str(item).encode() for item in found.ravel()]
        made = np.empty(len(flat), object)
        made[:] = flat
        return made.reshape(found.shape)
    array: Array = found
    return array


def open_session(
    path: Path, data: Mapping[str, Path], threads: int, cache: Path | None = None
) -> "onnxruntime.InferenceSession":
    """
    Parameters
    ----------
    data : files that it keeps tensors in, by the names it gives them.
    cache : folder for copies of large models that processes share; `path` is named by its digest there.

    Raises
    ------
    Exception
        What the runtime raises.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What a run needs is given back after it: among hundreds of models nobody could say what they keep.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    if threads > 1:
        # Threads that wait by turning round would take the CPU from the requests of others.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not data:
        copy = None if cache is None else mapped_onnx.mapped(path, cache, digest=path.name, kept=_COPIES)
        if copy is not None:
            # It is what the runtime made of the model: nothing is left to be done.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        # Not by its bytes, which would be there twice. It names no other files: that was looked at.
        return onnxruntime.InferenceSession(str(copy or path), options, providers=["CPUExecutionProvider"])
    # Mapped: processes share the pages, and what is never asked for is never read.
    maps = [mapped(file) for file in data.values()]
    if maps:
        sizes = [len(held) for held in maps]
        options.add_external_initializers_from_files_in_memory(list(data), [held.obj for held in maps], sizes)
    # By its bytes: with a path, the runtime would look for other files beside it.
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    # The runtime does not hold them, but goes on reading them.
    session.atoll_maps = maps
    return session


def _spec(one: Any, role: str) -> TensorSpec:
    if one.type not in ONNX:
        raise Invalid(f"the {role} {one.name!r} is a {one.type}; only tensors can be sent")
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in one.shape or ())
    return TensorSpec(one.name, ONNX[one.type], shape)


def _artefact(number: int, name: str) -> str:
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name)
    return f"data-{number}-{kept}"[:128]


def _said(exc: Exception) -> str:
    """What the runtime said, without paths and the place in its source."""
    text = str(exc).replace("\n", " ")
    for part in ("[ONNXRuntimeError] : ", "Load model from "):
        text = text.replace(part, "")
    return text[:_TOLD_CHARS]
