"""Images as tensors: decoded, turned upright, resized and laid out as a model wants its input."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.errors import Invalid, TooLarge
from common.serving.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

MEDIA_TYPES = ("image/png", "image/jpeg")
_CHANNELS = (1, 3, 4)
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_TYPES = {
    "UINT8": "uint8", "INT8": "int8", "UINT16": "uint16", "INT16": "int16", "UINT32": "uint32", "INT32": "int32",
    "UINT64": "uint64", "INT64": "int64", "FP16": "float16", "BF16": "float32", "FP32": "float32", "FP64": "float64",
}  # fmt: skip


@dataclass(frozen=True)
class Pixels:
    """What becomes of the values 0 to 255: `(value / scale - mean) / std`, mean and std by channel."""

    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How an input holds an image. Sizes are None where any will do.

    Parameters
    ----------
    order : of the dimensions, without the batch: `CHW`, `HWC`, `HW`, or `flat` for the rows one after the other.
    has_batch : the first dimension counts images.
    """

    order: str
    channels: int
    height: int | None
    width: int | None
    has_batch: bool


def layout_of(spec: TensorSpec) -> Layout:
    """How an input holds an image, told from its shape.

    Raises
    ------
    Invalid
        It holds none.
    """
    shape = spec.shape
    if len(shape) == 4 and shape[0] in (-1, 1):
        if shape[1] in _CHANNELS:
            return Layout("CHW", shape[1], _size(shape[2]), _size(shape[3]), has_batch=True)
        if shape[3] in _CHANNELS:
            return Layout("HWC", shape[3], _size(shape[1]), _size(shape[2]), has_batch=True)
    if len(shape) == 3:
        if shape[0] in _CHANNELS and shape[0] != 1:
            return Layout("CHW", shape[0], _size(shape[1]), _size(shape[2]), has_batch=False)
        if shape[2] in _CHANNELS:
            return Layout("HWC", shape[2], _size(shape[0]), _size(shape[1]), has_batch=False)
        if shape[0] in (-1, 1):
            return Layout("HW", 1, _size(shape[1]), _size(shape[2]), has_batch=True)
    if len(shape) == 2:
        for channels in (1, 3):
            side = round((max(shape[1], 0) / channels) ** 0.5)
            if side > 1 and channels * side * side == shape[1]:
                return Layout("flat", channels, side, side, has_batch=True)
    raise Invalid(
        f"the model's input {spec.name!r} of shape {list(shape)} holds no image (as [N, C, H, W], [N, H, W, C], or "
        'rows of the pixels of a square); send {"values": …}'
    )


def to_tensor(data: bytes, spec: TensorSpec, pixels: Pixels, max_pixels: int) -> "NDArray[np.generic]":
    """A PNG or JPEG as an input: shape and datatype as `spec` has them.

    Raises
    ------
    Invalid
        It is no image, a broken one, or the input holds none.
    TooLarge
        It has more than `max_pixels`; nothing was decoded.
    """
    import numpy as np

    layout = layout_of(spec)
    if spec.datatype not in _TYPES:
        raise Invalid(f"the model's input {spec.name!r} takes {spec.datatype}, which an image is not")
    for name, given in (("mean", pixels.mean), ("std", pixels.std)):
        if len(given) not in (0, 1, layout.channels):
            raise Invalid.field(
                name, f"one number, or one for each of {layout.channels} channels", given, where="query"
            )
    image = _decoded(data, layout, max_pixels)
    array: NDArray[Any] = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if pixels != Pixels():
        array = array.astype(np.float64) / pixels.scale
        array = (array - np.asarray(pixels.mean or (0.0,))) / np.asarray(pixels.std or (1.0,))
    if layout.order == "CHW":
        array = array.transpose(2, 0, 1)
    elif layout.order == "HW":
        array = array[:, :, 0]
    elif layout.order == "flat":
        array = array.reshape(-1)
    if layout.has_batch:
        array = array[None]
    return np.ascontiguousarray(array, dtype=_TYPES[spec.datatype])


def _decoded(data: bytes, layout: Layout, max_pixels: int) -> "Image":
    # On first use: most processes never see an image.
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Of its own limit, which is not ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        if image.width * image.height > max_pixels:
            raise _too_many(image.size, max_pixels)
        target = (layout.width or image.width, layout.height or image.height)
        # A JPEG is decoded at a fraction of its size where that is enough.
        image.draft(None, target)
        image.load()
    except Image.DecompressionBombError:
        raise TooLarge(f"the image has more than {max_pixels} pixels; send a smaller one") from None
    except UnidentifiedImageError:
        raise Invalid("the file is no PNG or JPEG image; send one of those") from None
    # A broken file makes the decoders raise whatever they come upon.
    except (OSError, SyntaxError, ValueError, EOFError) as exc:
        raise Invalid(f"the image cannot be read: {str(exc)[:200]}; send it again") from None
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # 16 bits of grey; a conversion would cut them off instead of dividing them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = _MODES[layout.channels]
    if image.mode != mode:
        image = image.convert(mode)
    target = (layout.width or image.width, layout.height or image.height)
    return image if image.size == target else image.resize(target, Image.Resampling.BILINEAR)


def _too_many(size: Sequence[int], max_pixels: int) -> TooLarge:
    return TooLarge(
        f"the image has {size[0]} x {size[1]} pixels, more than {max_pixels}; send a smaller one, or raise "
        "MAX_IMAGE_PIXELS"
    )


def _size(dimension: int) -> int | None:
    return dimension if dimension > 0 else None
