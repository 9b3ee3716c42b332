"""What kind of file was uploaded, by its content; its name tells only where the content does not."""

import zipfile
from pathlib import Path, PurePosixPath

from common.errors import Invalid

_HEAD = 4096
_PICKLED = frozenset({".pkl", ".pickle", ".joblib", ".sav", ".dill", ".cloudpickle", ".p"})
# Streams that joblib compresses a pickle with.
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x04\x22\x4d\x18": "lz4", b"\x78": "zlib"}
_CONVERT = (
    "It was not opened, since a pickle can run any code. On a machine where you trust it: "
    "`atoll registry convert {name}` writes a .skops or .onnx file to upload instead"
)
_KNOWN = (
    "give an ONNX model (.onnx), scikit-learn as .skops, LightGBM's text file (.txt), XGBoost's .json or .ubj, or a "
    ".zip of an ONNX model with its data files or of a Hugging Face classifier"
)


def refuse_pickle(path: Path, filename: str) -> None:
    """Refuse what is, or names itself, a pickle; only the first bytes are read.

    Raises
    ------
    Invalid
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise Invalid(f"the file is empty; {_KNOWN}")
    ending = _ending(filename)
    pickled = head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if pickled or ending in _PICKLED:
        kind = "joblib" if ending == ".joblib" else "pickle"
        raise Invalid(f"this is a {kind} file. {_CONVERT.format(name=_shown(filename) or 'FILE')}")


def kind_of(path: Path, filename: str) -> str:
    """`onnx`, `skops`, `lightgbm`, `xgboost`, `zip_onnx` or `huggingface`.

    Raises
    ------
    Invalid
        It is none of them; the detail says what to give instead.
    """
    refuse_pickle(path, filename)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    ending = _ending(filename)
    if head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(path):
        return _kind_of_zip(path, filename)
    for magic, packing in _PACKED.items():
        if head.startswith(magic) and ending != ".onnx":
            raise Invalid(f"the file is packed with {packing}; unpack it first. {_KNOWN[0].upper()}{_KNOWN[1:]}")
    if head.startswith(b"\x89HDF"):
        raise Invalid("this is an HDF5 file (Keras); export the model as ONNX, with tf2onnx or `model.export`")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<PMML" in head:
        raise Invalid(
            "PMML is not served: what evaluates it in full needs Java. Export the model as ONNX, or scikit-learn as "
            ".skops, where it was trained"
        )
    if text.startswith((b"tree\n", b"tree\r\n")):
        return "lightgbm"
    if (text.startswith(b"{") and b'"learner"' in head) or (head.startswith(b"{L") and b"learner" in head):
        return "xgboost"
    if ending in {".json", ".ubj"} and text.startswith(b"{"):
        return "xgboost"
    # `ir_version`, the first field of every ONNX file that is known.
    if head[0] == 0x08 or ending == ".onnx":
        return "onnx"
    raise Invalid(f"{_shown(filename) or 'the file'} is of no known format; {_KNOWN}")


def _kind_of_zip(path: Path, filename: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as exc:
        raise Invalid(f"the archive cannot be read ({exc}); it may be cut short: send it again") from None
    last = {name.name for name in names}
    if "schema.json" in {str(name) for name in names}:
        return "skops"
    if any(name.name == "data.pkl" for name in names):
        raise Invalid(
            "this is a file of torch.save or torch.jit, which holds a pickle, and was not opened; export the model "
            "with `torch.onnx.export(model, sample, 'model.onnx')` and upload that"
        )
    if "model.weights.h5" in last:
        raise Invalid("this is a Keras file; export the model as ONNX (`model.export('model.onnx', format='onnx')`)")
    if any(name.suffix in _PICKLED for name in names):
        wrong = next(str(name) for name in names if name.suffix in _PICKLED)
        raise Invalid(f"{_shown(wrong)} in the archive is a pickle file. {_CONVERT.format(name=_shown(wrong))}")
    if "config.json" in last:
        return "huggingface"
    if any(name.suffix == ".onnx" for name in names):
        return "zip_onnx"
    raise Invalid(
        f"the archive {_shown(filename)} holds neither an .onnx file nor a config.json of a Hugging Face "
        f"model; {_KNOWN}"
    )


def _ending(filename: str) -> str:
    return PurePosixPath(filename.replace("\\", "/")).suffix.lower()


def _shown(filename: str) -> str:
    return PurePosixPath(filename.replace("\\", "/")).name[:80]
