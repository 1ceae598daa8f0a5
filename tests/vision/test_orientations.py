"""Images are upright, whatever integer their orientation is stored as."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.scenes import OPTIONS, assert_scene, heic, quarters, scene
from tests.vision.test_colours import with_png_chunk
from workbench.vision.reading import read_header, read_rgb
from workbench.vision.structures import tiff_orientation

TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
UPRIGHT = {3: (3, 2, 1, 0), 6: (2, 0, 3, 1), 8: (1, 3, 0, 2)}  # quarters of the stored scene
ORDERS = {"<": b"II*\0", ">": b"MM\0*"}


def field(order: str, kind: int, value: int, count: int = 1) -> bytes:
    """An entry of EXIF or TIFF with the orientation."""
    values = struct.pack(order + TYPES[kind] * count, *([value] * count))
    return struct.pack(order + "HHI", 0x0112, kind, count) + values.ljust(4, b"\0")


def exif(order: str, kind: int, value: int) -> bytes:
    start = ORDERS[order] + struct.pack(order + "IH", 8, 1)
    return start + field(order, kind, value) + bytes(4)


def tiff(order: str, kind: int, value: int, more: Mapping[int, int] = {}) -> bytes:
    """The scene as an uncompressed TIFF."""
    pixels = scene()
    tags = {256: 64, 257: 48, 259: 1, 262: 2, 273: 0, 277: 3, 278: 48, 279: pixels.nbytes}
    tags |= more
    end = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags[273] = end + 6
    entries = {tag: struct.pack(order + "HHII", tag, 4, 1, one) for tag, one in tags.items()}
    entries[258] = struct.pack(order + "HHII", 258, 3, 3, end)
    entries[0x0112] = field(order, kind, value)
    head = ORDERS[order] + struct.pack(order + "IH", 8, len(entries))
    body = b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    return head + body + struct.pack(order + "3H", 8, 8, 8) + pixels.tobytes()


def oriented(kind: str, block: bytes) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(scene())
    if kind == "WEBP":
        image.save(file, kind, exif=block, **OPTIONS[kind])
        return file.getvalue()
    image.save(file, kind, **OPTIONS.get(kind, {}))
    data = file.getvalue()
    if kind == "PNG":
        return with_png_chunk(data, b"eXIf", block)
    block = b"Exif\0\0" + block
    return data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(block)) + block + data[2:]


@pytest.mark.parametrize("value", UPRIGHT)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", TYPES)
def test_every_integer_type_of_orientation_is_applied_once(tmp_path, kind, order, value):
    files = {one: oriented(one, exif(order, kind, value)) for one in ("JPEG", "PNG", "WEBP")}
    files["TIFF"] = tiff(order, kind, value)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        header, pixels = read_header(tmp_path / name), read_rgb(tmp_path / name)
        assert pixels.shape == (header.height, header.width, 3)
        assert (header.width, header.height) == ((64, 48) if value == 3 else (48, 64))
        assert_scene(pixels, UPRIGHT[value])


@pytest.mark.parametrize("order", ORDERS)
def test_an_orientation_in_a_big_tiff_is_read(order):
    for kind, code in {3: "H", 16: "Q", 17: "q"}.items():
        value = struct.pack(order + code, 6).ljust(8, b"\0")
        block = ORDERS[order][:2] + struct.pack(order + "HHHQQ", 43, 8, 0, 16, 1)
        block += struct.pack(order + "HHQ", 0x0112, kind, 1) + value
        assert tiff_orientation(block) == 6


@pytest.mark.parametrize("order", ORDERS)
def test_fields_that_are_no_single_integer_are_upright_or_their_first_value(order):
    head = ORDERS[order] + struct.pack(order + "IH", 8, 1)
    assert tiff_orientation(head + field(order, 3, 6, count=2)) == 6
    far = struct.pack(order + "HHII", 0x0112, 3, 3, 22) + struct.pack(order + "3H", 8, 1, 1)
    assert tiff_orientation(head + far) == 8
    beyond = struct.pack(order + "HHII", 0x0112, 3, 3, 1 << 30)
    assert tiff_orientation(head + beyond) == 1
    for kind in (2, 5, 11, 99):
        entry = struct.pack(order + "HHI", 0x0112, kind, 1) + bytes((6, 6, 6, 6))
        assert tiff_orientation(head + entry) == 1
    assert tiff_orientation(head + field(order, 3, 6)[:2] + bytes((0, 3, 0, 0, 0, 0))) == 1


@pytest.mark.parametrize(
    ("turn", "order"),
    [
        (b"irot\0", (0, 1, 2, 3)),
        (b"irot\1", (1, 3, 0, 2)),
        (b"irot\2", (3, 2, 1, 0)),
        (b"irot\3", (2, 0, 3, 1)),
        (b"imir\0", (2, 3, 0, 1)),
        (b"imir\1", (1, 0, 3, 2)),
    ],
)
def test_a_heic_is_turned_once_as_its_boxes_say(tmp_path, turn, order):
    (tmp_path / "x.heic").write_bytes(heic(turn))
    header, pixels = read_header(tmp_path / "x.heic"), read_rgb(tmp_path / "x.heic")
    assert pixels.shape == (header.height, header.width, 3)
    assert_scene(pixels, order)


@pytest.mark.parametrize("value", range(1, 9))
def test_an_avif_is_turned_once(tmp_path, value):
    block = Image.Exif()
    block[0x0112] = value
    Image.fromarray(scene()).save(tmp_path / "x.png", exif=block)
    Image.fromarray(scene()).save(tmp_path / "x.avif", exif=block.tobytes(), **OPTIONS["AVIF"])
    pixels, wanted = read_rgb(tmp_path / "x.avif"), read_rgb(tmp_path / "x.png")
    header = read_header(tmp_path / "x.avif")
    assert pixels.shape == wanted.shape == (header.height, header.width, 3)
    assert np.abs(quarters(pixels) - quarters(wanted)).max() < 8


def test_the_orientation_of_a_jpeg_2000_is_applied(tmp_path):
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, "JPEG2000")
    body = b"JpgTiffExif->JP2" + exif(">", 3, 6)
    box = struct.pack(">I", 8 + len(body)) + b"uuid" + body
    data = file.getvalue()
    at = data.index(b"jp2c") - 4
    (tmp_path / "x.jp2").write_bytes(data[:at] + box + data[at:])
    assert_scene(read_rgb(tmp_path / "x.jp2"), UPRIGHT[6])


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def plain(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, kind, **OPTIONS.get(kind, {}))
    return file.getvalue()


def with_app1(data: bytes, *bodies: bytes) -> bytes:
    parts = [b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body for body in bodies]
    return data[:2] + b"".join(parts) + data[2:]


def test_the_first_of_two_exif_blocks_counts(tmp_path):
    blocks = [b"Exif\0\0" + exif(order, 3, value) for order, value in (("<", 6), (">", 3))]
    (tmp_path / "x.jpg").write_bytes(with_app1(plain("JPEG"), *blocks))
    assert_scene(read_rgb(tmp_path / "x.jpg"), UPRIGHT[6])


def with_xmp(kind: str, value: int) -> bytes:
    if kind == "JPEG":
        return with_app1(plain(kind), b"http://ns.adobe.com/xap/1.0/\0" + XMP % value)
    if kind == "PNG":
        chunk = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % value
        return with_png_chunk(plain(kind), b"iTXt", chunk)
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, kind, xmp=XMP % value, **OPTIONS[kind])
    return file.getvalue()


@pytest.mark.parametrize("value", UPRIGHT)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_in_xmp_is_applied_where_exif_has_none(tmp_path, kind, value):
    (tmp_path / "x").write_bytes(with_xmp(kind, value))
    assert_scene(read_rgb(tmp_path / "x"), UPRIGHT[value])


def test_an_orientation_in_exif_precedes_that_in_xmp(tmp_path):
    for value, order in ((1, (0, 1, 2, 3)), (3, UPRIGHT[3])):
        block = b"Exif\0\0" + exif(">", 3, value)
        (tmp_path / "x.jpg").write_bytes(with_app1(with_xmp("JPEG", 6), block))
        assert_scene(read_rgb(tmp_path / "x.jpg"), order)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iTXt packed"])
def test_an_orientation_in_a_raw_profile_of_a_png_is_applied(tmp_path, kind):
    block = (b"Exif\0\0" + exif("<", 3, 6)).hex().encode()
    text = b"\nexif\n%8d\n" % (len(block) // 2) + block[:36] + b"\n" + block[36:] + b"\n"
    body = {b"tEXt": text, b"zTXt": b"\0" + zlib.compress(text), b"iTXt": b"\0\0\0\0" + text}
    body[b"iTXt packed"] = b"\1\0en\0\0" + zlib.compress(text)
    chunk = b"Raw profile type exif\0" + body[kind]
    (tmp_path / "x.png").write_bytes(with_png_chunk(plain("PNG"), kind[:4], chunk))
    assert_scene(read_rgb(tmp_path / "x.png"), UPRIGHT[6])


@pytest.mark.parametrize("text", [b"\nexif\n 2\nzz", b"exif", zlib.compress(bytes(5 << 20))])
def test_a_raw_profile_that_is_damaged_or_huge_is_ignored(tmp_path, text):
    chunk = b"Raw profile type exif\0\0" + text
    (tmp_path / "x.png").write_bytes(with_png_chunk(plain("PNG"), b"zTXt", chunk))
    assert_scene(read_rgb(tmp_path / "x.png"))
