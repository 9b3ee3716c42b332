"""Images as the inputs of models."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from common.errors import Invalid, TooLarge
from common.serving.tensors import TensorSpec
from models.hosted.images import Pixels, to_tensor

PLAIN = Pixels()


def encoded(image: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def quarters() -> Image.Image:
    """Red above green on the left, blue above white on the right; 40 wide, 20 high."""
    image = Image.new("RGB", (40, 20))
    for box, colour in (((0, 0), "red"), ((20, 0), "blue"), ((0, 10), "lime"), ((20, 10), "white")):
        image.paste(Image.new("RGB", (20, 10), colour), box)
    return image


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((-1, 3, 8, 16), (1, 3, 8, 16)),
        ((1, 3, 8, 16), (1, 3, 8, 16)),
        ((-1, 8, 16, 3), (1, 8, 16, 3)),
        ((3, 8, 16), (3, 8, 16)),
        ((8, 16, 3), (8, 16, 3)),
        ((-1, 8, 16), (1, 8, 16)),
        ((-1, 784), (1, 784)),
        ((-1, 3072), (1, 3072)),
        ((-1, 3, -1, -1), (1, 3, 20, 40)),
        ((-1, 1, 28, 28), (1, 1, 28, 28)),
        ((-1, 4, 8, 8), (1, 4, 8, 8)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_has_the_shape_that_the_model_takes(shape: tuple[int, ...], found: tuple[int, ...], kind: str) -> None:
    tensor = to_tensor(encoded(quarters(), kind), TensorSpec("X", "FP32", shape), PLAIN, 10_000)
    assert tensor.shape == found
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous


def test_colours_and_places_are_where_they_belong() -> None:
    rows = to_tensor(encoded(quarters()), TensorSpec("X", "UINT8", (-1, 20, 40, 3)), PLAIN, 10_000)
    assert rows[0, 2, 2].tolist() == [255, 0, 0]
    assert rows[0, 2, 38].tolist() == [0, 0, 255]
    channels = to_tensor(encoded(quarters()), TensorSpec("X", "UINT8", (-1, 3, 20, 40)), PLAIN, 10_000)
    assert channels[0, :, 18, 2].tolist() == [0, 255, 0]


def test_pixels_are_scaled_by_channel_as_asked() -> None:
    pixels = Pixels(scale=255, mean=(0.5, 0.0, 0.0), std=(0.5, 1.0, 2.0))
    tensor = to_tensor(encoded(quarters()), TensorSpec("X", "FP32", (-1, 3, 20, 40)), pixels, 10_000)
    assert tensor[0, :, 18, 38].tolist() == [1.0, 1.0, 0.5]
    assert tensor[0, :, 2, 2].tolist() == [1.0, 0.0, 0.0]


def test_an_image_that_lies_on_its_side_is_turned_upright() -> None:
    image = Image.new("L", (40, 20))
    image.paste(255, (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    tensor = to_tensor(encoded(image, "JPEG", exif=exif), TensorSpec("X", "UINT8", (-1, 40, 20)), PLAIN, 10_000)
    assert tensor[0, 5, 10] > 200
    assert tensor[0, 35, 10] < 50


def test_grey_of_16_bits_keeps_its_brightness() -> None:
    image = Image.fromarray(np.full((8, 8), 32768, dtype=np.uint16))
    tensor = to_tensor(encoded(image), TensorSpec("X", "UINT8", (-1, 8, 8)), PLAIN, 10_000)
    assert set(tensor.ravel().tolist()) == {128}


def test_an_image_of_too_many_pixels_is_refused_undecoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # A megabyte that would be a gigabyte.
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
    with pytest.raises(TooLarge, match="pixels"):
        to_tensor(bomb, TensorSpec("X", "FP32", (-1, 3, 8, 8)), PLAIN, 50_000_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        b"GIF89a" + bytes(100),
        encoded(Image.new("RGB", (20, 20)), "BMP"),
        encoded(Image.new("RGB", (300, 300), "red"))[:-100],
        encoded(quarters(), "JPEG")[:200],
    ],
    ids=["nothing", "text", "gif", "bmp", "cut png", "cut jpeg"],
)
def test_what_is_no_whole_png_or_jpeg_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        to_tensor(data, TensorSpec("X", "FP32", (-1, 3, 8, 8)), PLAIN, 10_000_000)


@pytest.mark.parametrize(
    "spec",
    [TensorSpec("X", "FP32", (-1, 5)), TensorSpec("X", "BYTES", (-1, 3, 8, 8)), TensorSpec("X", "FP32", (-1,))],
    ids=str,
)
def test_an_input_that_holds_no_image_says_so(spec: TensorSpec) -> None:
    with pytest.raises(Invalid, match="'X'"):
        to_tensor(encoded(quarters()), spec, PLAIN, 10_000)


def test_as_many_means_as_channels_are_taken() -> None:
    with pytest.raises(Invalid, match="mean"):
        to_tensor(encoded(quarters()), TensorSpec("X", "FP32", (-1, 3, 8, 8)), Pixels(mean=(1.0, 2.0)), 10_000)
