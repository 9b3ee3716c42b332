"""scikit-learn estimators compiled to ONNX, by skl2onnx: a row takes microseconds instead of a millisecond.

Whether an estimator compiles is tried, not known; and whether the outcome may be served is found out by comparing the
answers of both (`models.hosted.check.compare`).
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.serving.tensors import TensorSpec
from models.hosted.formats import Found
from models.hosted.formats.onnx_file import MODEL


def compiled(estimator: Any, found: Found, folder: Path) -> tuple[Found, ...]:
    """Ways to serve the same by ONNX Runtime, the more exact one first; none where skl2onnx is not installed or cannot.

    In doubles the arithmetic is that of scikit-learn; but its trees compare in single precision, so that for them
    single precision is exact.
    """
    try:
        import skl2onnx
    except ImportError:
        return ()
    specs = found.card.inputs
    if len(specs) == 1 and specs[0].datatype == "BYTES" and specs[0].shape == (-1,):
        # Texts: the tokens that ONNX finds are not those of scikit-learn.
        return ()
    made = []
    for datatype in ("FP64", "FP32"):
        inputs = tuple(replace(spec, datatype=datatype) if spec.datatype == "FP64" else spec for spec in specs)
        file = folder / f"compiled-{datatype.lower()}.onnx"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                graph = skl2onnx.to_onnx(
                    estimator, initial_types=[(spec.name, _type(spec)) for spec in inputs], options=_options(estimator)
                )
            file.write_bytes(graph.SerializeToString())
        except MemoryError:
            raise
        # It raises whatever its converters raise.
        except Exception:  # noqa: BLE001, S112 - see above
            continue
        notes = (*found.card.notes, "compiled to ONNX, which answers the same; the .skops file is kept for downloads")
        card = replace(found.card, format="onnx", main=MODEL, inputs=inputs, notes=notes)
        made.append(Found(card, {**found.artefacts, MODEL: file}, values=found.values))
    return tuple(made)


def _options(estimator: Any) -> dict[Any, Any] | None:
    return {"zipmap": False} if hasattr(estimator, "predict_proba") else None


def _type(spec: TensorSpec) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    types = {"FP64": DoubleTensorType, "FP32": FloatTensorType, "BYTES": StringTensorType}
    return types[spec.datatype]([None, *spec.shape[1:]])
