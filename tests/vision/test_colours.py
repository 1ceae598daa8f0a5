"""Colours of an embedded profile are converted to sRGB, in every format and at every size."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.fixtures.scenes import COLOURS, OPTIONS, heic, quarters, scene, swapped_profile
from workbench.domain.geometry import Rect
from workbench.vision.reading import examine, read_header, read_rgb

SWAPPED = np.array([(green, red, blue) for red, green, blue in COLOURS])
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Columns of Display P3's matrix to the profile connection space (D50), as in Apple's profile.
P3 = {b"rXYZ": (0.51512, 0.2412, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189)}
P3 |= {b"bXYZ": (0.1571, 0.06657, 0.78407)}


def tag_offset(profile: bytes, name: bytes) -> int:
    return int(struct.unpack_from(">I", profile, profile.index(name, 128) + 4)[0])


def display_p3() -> bytes:
    profile = bytearray(SRGB)
    for name, column in P3.items():
        values = struct.pack(">3i", *(round(value * 65536) for value in column))
        at = tag_offset(SRGB, name) + 8
        profile[at : at + 12] = values
    return bytes(profile)


def grey_profile(gamma: float) -> bytes:
    """A profile of grey with a power law."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, 16)
    head = struct.pack(">I4sI4s4s4s", 192, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + tags + white + curve


def with_png_chunk(data: bytes, name: bytes, body: bytes) -> bytes:
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return data[:33] + chunk + data[33:]


def encoded(kind: str, icc: bytes) -> bytes:
    """The scene with a profile."""
    if kind == "HEIC":
        return heic(icc=icc)
    file, image = io.BytesIO(), Image.fromarray(scene())
    options = OPTIONS.get(kind, {})
    if kind == "BMP":
        image.save(file, kind)
        pixels = file.getvalue()[54:]
        size = 14 + 124 + len(pixels)
        info = struct.pack("<IiiHHIIiiII", 124, 64, 48, 1, 24, 0, len(pixels), 0, 0, 0, 0)
        info += bytes(16) + b"DEBM" + bytes(36 + 12 + 4)
        info += struct.pack("<III", 124 + len(pixels), len(icc), 0)
        head = b"BM" + struct.pack("<IHHI", size + len(icc), 0, 0, 14 + 124)
        return head + info + pixels + icc
    if kind == "JPEG2000":
        image.save(file, kind)
        data = file.getvalue()
        at = data.index(b"colr") - 4
        (old,) = struct.unpack_from(">I", data, at)
        box = struct.pack(">I", 11 + len(icc)) + b"colr\x02\0\0" + icc
        head = data.index(b"jp2h") - 4
        (size,) = struct.unpack_from(">I", data, head)
        data = data[:at] + box + data[at + old :]
        return data[:head] + struct.pack(">I", size + len(box) - old) + data[head + 4 :]
    image.save(file, kind, icc_profile=icc, **options)
    return file.getvalue()


EVERY = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIC", "JPEG2000", "BMP")


@pytest.mark.parametrize("kind", EVERY)
def test_colours_of_a_profile_are_converted_in_every_format(tmp_path, kind):
    (tmp_path / "x").write_bytes(encoded(kind, swapped_profile()))
    assert np.abs(quarters(read_rgb(tmp_path / "x")) - SWAPPED).max() < 8
    small = read_rgb(tmp_path / "x", longest=32)
    assert np.abs(small[4:8, 4:12].mean((0, 1)) - SWAPPED[0]).max() < 8
    part = read_rgb(tmp_path / "x", rect=Rect(36, 4, 60, 20))
    assert np.abs(part.mean((0, 1)) - SWAPPED[1]).max() < 8


@pytest.mark.parametrize("kind", EVERY)
def test_colours_of_srgb_stay_as_they_are(tmp_path, kind):
    (tmp_path / "x").write_bytes(encoded(kind, SRGB))
    (tmp_path / "damaged").write_bytes(encoded(kind, b"\0" * 4 + SRGB[4:100] + bytes(100)))
    pixels = read_rgb(tmp_path / "x")
    assert np.abs(quarters(pixels) - COLOURS).max() < 8
    assert (pixels == read_rgb(tmp_path / "damaged")).all()


def test_a_colour_in_display_p3_is_the_same_colour_in_srgb(tmp_path):
    Image.new("RGB", (32, 32), (139, 66, 47)).save(tmp_path / "x.png", icc_profile=display_p3())
    assert np.abs(read_rgb(tmp_path / "x.png")[9, 9].astype(int) - (150, 60, 40)).max() <= 1


def test_the_thumbnail_of_an_import_is_converted(tmp_path):
    (tmp_path / "x.jpg").write_bytes(encoded("JPEG", swapped_profile()))
    thumbnail = Image.open(io.BytesIO(examine(tmp_path / "x.jpg").thumbnail))
    assert np.abs(quarters(np.asarray(thumbnail)) - SWAPPED).max() < 12


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_grey_is_converted_by_its_own_profile(tmp_path, mode):
    values = np.full(
        (8, 8), 128 if mode == "L" else 128 * 257, np.uint8 if mode == "L" else np.uint16
    )
    Image.fromarray(values).save(tmp_path / "x.png", icc_profile=grey_profile(1.0))
    linear = 128 / 255  # a level of light, which sRGB shows as
    wanted = round((1.055 * linear ** (1 / 2.4) - 0.055) * 255)
    pixels = read_rgb(tmp_path / "x.png")
    assert np.abs(pixels[4, 4].astype(int) - wanted).max() <= 1


def test_a_profile_of_another_kind_of_colours_is_ignored(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "x.png", icc_profile=grey_profile(1.0)[:16] + b"CMYK")
    assert np.abs(quarters(read_rgb(tmp_path / "x.png")) - COLOURS).max() == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_profile_of_grey_is_ignored_where_the_image_has_colours(tmp_path, kind):
    (tmp_path / "x").write_bytes(encoded(kind, grey_profile(1.0)))
    assert np.abs(quarters(read_rgb(tmp_path / "x")) - COLOURS).max() < 8
    Image.fromarray(scene()).save(tmp_path / "y.png", icc_profile=grey_profile(1.0))
    part = Rect(4, 4, 28, 20)
    known = np.abs(read_rgb(tmp_path / "y.png", rect=part).mean((0, 1)) - COLOURS[0])
    assert known.max() < 8


def test_a_profile_in_pieces_is_joined_in_their_order(tmp_path):
    icc = swapped_profile()
    plain = encoded("JPEG", b"")
    half = len(icc) // 2
    pieces = b""
    for number, piece in ((2, icc[half:]), (1, icc[:half])):
        body = b"ICC_PROFILE\0" + bytes((number, 2)) + piece
        pieces += b"\xff\xe2" + struct.pack(">H", 2 + len(body)) + body
    (tmp_path / "x").write_bytes(plain[:2] + pieces + plain[2:])
    assert read_header(tmp_path / "x").icc == icc
    assert np.abs(quarters(read_rgb(tmp_path / "x")) - SWAPPED).max() < 8


def test_a_profile_or_text_of_any_size_does_not_stop_an_image(tmp_path):
    plain = encoded("PNG", b"")
    large = zlib.compress(bytes(30_000_000))
    for name, body in ((b"iCCP", b"x\0\0" + large), (b"zTXt", b"x\0\0" + large)):
        (tmp_path / "x").write_bytes(with_png_chunk(plain, name, body))
        assert np.abs(quarters(read_rgb(tmp_path / "x")) - COLOURS).max() == 0
    assert read_header(tmp_path / "x").icc == b""


def test_transparent_pixels_lie_on_white_before_and_after_the_conversion(tmp_path):
    image = Image.new("RGBA", (16, 16), (200, 40, 40, 0))
    image.paste((200, 40, 40, 255), (0, 0, 8, 16))
    image.save(tmp_path / "x.png", icc_profile=swapped_profile())
    pixels = read_rgb(tmp_path / "x.png")
    assert np.abs(pixels[8, 2].astype(int) - (40, 200, 40)).max() <= 1
    assert pixels[8, 12].tolist() == [255, 255, 255]
