"""Every image format is decoded upright to 8-bit RGB, or refused naming the file."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.vision.reading import read_header, read_rgb, upright

ROWS, COLUMNS = np.mgrid[0:60, 0:90]
SCENE = np.stack([COLUMNS * 2.5, ROWS * 4, COLUMNS + ROWS], -1).clip(0, 255).astype(np.uint8)
KINDS = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp"}


def saved(path: Path, image: Image.Image, kind: str, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 97, "subsampling": 0}, "WEBP": {"lossless": True}}
    image.save(path, kind, exif=exif.tobytes(), **options.get(kind, {}))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_shown_upright(tmp_path, kind, orientation):
    path = saved(tmp_path / f"x{KINDS[kind]}", Image.fromarray(SCENE), kind, orientation)
    header, pixels = read_header(path), read_rgb(path)
    wanted = upright(SCENE, orientation)
    assert pixels.shape == wanted.shape == (header.height, header.width, 3)
    assert np.abs(pixels.astype(int) - wanted).max() <= 12  # what JPEG loses
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


def test_orientations_are_those_of_exif():
    marked = np.zeros((2, 3, 3), np.uint8)
    marked[0, 0] = 1  # orientation 6: row 0 is the right side, column 0 the top
    assert upright(marked, 6)[0, -1, 0] == 1
    assert upright(marked, 8)[-1, 0, 0] == 1
    assert upright(marked, 3)[-1, -1, 0] == 1
    assert upright(marked, 2)[0, -1, 0] == 1
    assert upright(marked, 4)[-1, 0, 0] == 1
    assert upright(marked, 7)[-1, -1, 0] == 1


@pytest.mark.parametrize(
    ("mode", "kind"),
    [(m, k) for m in ("L", "1", "P", "LA", "RGBA") for k in ("PNG", "TIFF") if (m, k)]
    + [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "JPEG"), ("YCbCr", "TIFF"), ("P", "BMP")],
)
def test_modes_become_rgb(tmp_path, mode, kind):
    image = Image.fromarray(SCENE).convert(mode)
    path = tmp_path / "x"
    image.save(path, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = read_rgb(path)
    wanted = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(pixels - wanted).mean() < 3


def test_sixteen_bits_keep_their_high_byte(tmp_path):
    deep = (COLUMNS * 700).astype(np.uint16)
    for name in ("x.png", "x.tif"):
        Image.fromarray(deep).save(tmp_path / name)
        pixels = read_rgb(tmp_path / name)
        assert np.abs(pixels[..., 0] - deep / 257).max() <= 1
        assert (pixels[..., 0] == pixels[..., 2]).all()


def test_fractions_are_brightness(tmp_path):
    Image.fromarray((COLUMNS / 89).astype(np.float32)).save(tmp_path / "x.tif")
    assert read_rgb(tmp_path / "x.tif")[0, :, 0].tolist() == [
        round(c / 89 * 255) for c in range(90)
    ]


def test_transparent_pixels_lie_on_white(tmp_path):
    glass = Image.new("RGBA", (8, 4), (255, 0, 0, 0))
    glass.putpixel((0, 0), (255, 0, 0, 255))
    glass.save(tmp_path / "x.png")
    pixels = read_rgb(tmp_path / "x.png")
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[2, 3].tolist() == [255, 255, 255]


def test_palette_with_transparency_does_not_warn(tmp_path):
    image = Image.fromarray(SCENE).quantize(8)
    image.save(tmp_path / "x.png", transparency=bytes([0, 128] + [255] * 6))
    assert read_rgb(tmp_path / "x.png").shape == (60, 90, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_reduced_and_cropped(tmp_path, kind):
    large = Image.fromarray(SCENE).resize((1200, 800))
    path = saved(tmp_path / "x", large, kind, orientation=6)
    assert read_rgb(path, longest=256).shape == (256, 171, 3)
    assert read_rgb(path, longest=5000).shape == (1200, 800, 3)
    whole = read_rgb(path)
    rect = Rect(100, 200, 500, 500)
    assert (read_rgb(path, rect=rect) == whole[200:500, 100:500]).all()
    small = read_rgb(path, longest=100, rect=rect)
    assert small.shape == (75, 100, 3)
    wanted = np.asarray(Image.fromarray(whole[200:500, 100:500]).resize((100, 75), Image.BOX))
    assert np.abs(small.astype(int) - wanted).mean() < 4


def test_a_rectangle_outside_is_pushed_inside(tmp_path):
    path = saved(tmp_path / "x", Image.fromarray(SCENE), "PNG")
    assert (read_rgb(path, rect=Rect(80, -10, 100, 20)) == SCENE[:30, 70:90]).all()


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(KnownError) as caught:
        read_header(path)
    with pytest.raises(KnownError):
        read_rgb(path)
    assert str(path) in caught.value.sentence
    return caught.value.sentence


def encoded(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(SCENE).save(out, kind, **options)
    return out.getvalue()


def test_empty_and_foreign_files(tmp_path):
    assert "is empty (0 bytes)" in refused(tmp_path / "a.jpg", b"")
    assert "not an image" in refused(tmp_path / "b.jpg", b"<html>404</html>")
    assert "not an image" in refused(tmp_path / "c.png", bytes(4096))
    assert "truncated" in refused(tmp_path / "d.jpg", b"\xff\xd8")


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA"]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.995])
def test_truncated_files(tmp_path, kind, share):
    data = encoded(kind)
    sentence = refused(tmp_path / "x", data[: int(len(data) * share)])
    assert "is truncated" in sentence or share < 0.1  # a few bytes are of no known kind


def test_progressive_jpeg_and_bytes_after_its_end_are_whole(tmp_path):
    (tmp_path / "x").write_bytes(encoded("JPEG", progressive=True) + b"trailer of a phone" * 9)
    assert read_header(tmp_path / "x").width == 90
    refused(tmp_path / "y", encoded("JPEG", progressive=True)[:-40])


def test_a_thumbnail_inside_does_not_pass_for_the_end(tmp_path):
    preview, picture = encoded("JPEG"), encoded("JPEG", quality=30)
    block = b"\xff\xe1" + struct.pack(">H", len(preview) + 8) + b"Exif\0\0" + preview
    assert "truncated" in refused(tmp_path / "x", picture[:2] + block + picture[2:-300])


def test_a_flipped_bit_in_a_png_is_found(tmp_path):
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 4
    assert "checksum" in refused(tmp_path / "x", bytes(data))


def test_a_bomb_is_refused_by_its_header(tmp_path):
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    data += chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    assert "60000 × 60000" in refused(tmp_path / "x.png", data)


def test_large_but_allowed_does_not_warn(tmp_path):
    Image.new("1", (12_000, 9_000)).save(tmp_path / "x.png")  # above Pillow's own limit
    assert read_header(tmp_path / "x.png").width == 12_000


def test_damaged_data_with_a_good_frame(tmp_path):
    data = encoded("TIFF", compression="tiff_lzw")
    broken = data[:8] + bytes(b ^ 0x5A for b in data[8:200]) + data[200:]
    (tmp_path / "x").write_bytes(broken)
    with pytest.raises(KnownError, match="damaged"):
        read_rgb(tmp_path / "x")


@pytest.mark.parametrize("name", ["鸟 – снимок.jpg", "a" * 240 + ".jpg", "with space .JPG"])
def test_names_of_any_kind(tmp_path, name):
    deep = tmp_path
    for _ in range(8):
        deep = deep / ("深" * 60)
    deep.mkdir(parents=True)
    path = saved(deep / name, Image.fromarray(SCENE), "JPEG")
    assert read_rgb(path, longest=30).shape == (20, 30, 3)


def test_missing_folder_and_too_long_a_name(tmp_path):
    for path in (tmp_path / "no.jpg", tmp_path, tmp_path / ("x" * 999), Path("a\0b")):
        with pytest.raises(KnownError, match="cannot be read"):
            read_rgb(path)
