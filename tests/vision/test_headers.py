"""The registry of formats and the decoders agree on the images that are read."""

import io
import struct
import zlib

import pytest
from PIL import Image

from tests.fixtures.scenes import assert_scene, heic, write_scene
from workbench.domain.formats import IMAGE_FORMATS
from workbench.domain.geometry import Rect
from workbench.vision.headers import NAMES, Unreadable, parse_header
from workbench.vision.reading import examine, read_rgb
from workbench.vision.structures import PARSERS, tiff_orientation

PILLOW = {"JPEG 2000": "JPEG2000", "Netpbm": "PPM"}  # the names of formats there
READ = [(one.name, ending) for one in IMAGE_FORMATS.read() for ending in one.endings]


@pytest.mark.parametrize(("name", "ending"), READ)
def test_every_ending_that_is_read_is_decoded(tmp_path, name, ending):
    file = tmp_path / f"x{ending}"
    if name == "HEIF":
        file.write_bytes(heic())
    else:
        write_scene(file, PILLOW.get(name, name))
    assert NAMES[parse_header(file.read_bytes()).format] == name
    facts = examine(file)
    assert (facts.width, facts.height) == (64, 48)
    assert_scene(read_rgb(file))


def test_no_kind_is_decoded_that_the_registry_does_not_list():
    assert set(NAMES) == set(PARSERS)


@pytest.mark.parametrize("name", ["GIF", "ICO"])
def test_a_kind_that_is_not_read_is_not_decoded(tmp_path, name):
    assert not next(one for one in IMAGE_FORMATS if one.name == name).read
    Image.new("RGB", (32, 32)).save(tmp_path / "x", format=name)
    with pytest.raises(Unreadable, match=r"JPEG, PNG, BMP, .* or TGA"):
        examine(tmp_path / "x")


def test_an_orientation_outside_of_its_segment_is_not_read():
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)

    def size(offset: int, inside: bytes, after: bytes) -> tuple[int, int]:
        block = b"Exif\0\0II*\0" + struct.pack("<I", offset) + inside
        segment = b"\xff\xe1" + struct.pack(">H", 2 + len(block)) + block
        comment = b"\xff\xfe" + struct.pack(">H", 2 + len(after)) + after
        header = parse_header(plain[:2] + segment + comment + plain[2:])
        return header.width, header.height

    file = io.BytesIO()
    Image.new("RGB", (24, 18)).save(file, "JPEG")
    plain = file.getvalue()
    assert size(8, entry, b"") == (18, 24)
    assert size(14, b"\0\0", entry) == (24, 18)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("value", [0, 9])
def test_an_orientation_that_exif_does_not_know_is_upright(kind, value):
    exif = Image.Exif()
    exif[0x0112] = value
    file = io.BytesIO()
    Image.new("RGB", (24, 18)).save(file, kind, exif=exif)
    header = parse_header(file.getvalue())
    assert (header.width, header.height, header.orientation) == (24, 18, 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"\xff\xd8", "within its first bytes"),
        (b"\x89", "within its first bytes"),
        (b"\x89PNG\r\n\x1a", "within its first bytes"),
        (b"\x89PNG\r\n\x1ax", "not an image in a supported format"),
        (b"\x89PMG", "not an image in a supported format"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not an image in a supported format"),
        (b"FORM\0\0\0\0WEBPVP8 ", "not an image in a supported format"),
        (b"II", "not an image in a supported format"),
    ],
)
def test_the_first_bytes_name_the_format(data, reason):
    with pytest.raises(Unreadable, match=reason):
        parse_header(data)


def png(width: int, height: int, *more: bytes) -> bytes:
    """The chunks of a PNG without its pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", size), *more, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_an_image_has_a_pixel_and_at_most_two_hundred_million():
    for size in ((1, 1), (100_000, 2_000)):
        header = parse_header(bitmap(*size))
        assert (header.width, header.height) == size
        assert header.whole == Rect(0, 0, *size)
    for size in ((0, 5), (5, 0)):
        with pytest.raises(Unreadable, match="width or height is 0"):
            parse_header(bitmap(*size))
    with pytest.raises(Unreadable, match="exceed the limit of 200 megapixels"):
        parse_header(bitmap(50_001, 4_000))
    with pytest.raises(Unreadable, match="exceeds the limit of 100,000"):
        parse_header(bitmap(100_001, 1))


def bitmap(width: int, height: int) -> bytes:
    """A black PBM."""
    return b"P4 %d %d\n" % (width, height) + bytes((width + 7) // 8 * height)


def test_each_missing_byte_at_the_end_of_a_png_is_noticed():
    whole = png(24, 18)
    for missing in range(1, 13):
        with pytest.raises(Unreadable, match="its PNG data is truncated"):
            parse_header(whole[:-missing])
    assert parse_header(whole + b"more").width == 24


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG of 24 × 18 pixels with segments before its frame, without its pixels."""
    frame = struct.pack(">BHHB", 8, 18, 24, 3) + bytes(9)
    made = b""
    for marker, data in (*segments, (0xC0, frame), (0xDA, bytes(10))):
        made += bytes((0xFF, marker)) + struct.pack(">H", 2 + len(data)) + data
    return b"\xff\xd8" + made + b"\x12\xff\x00\x34\xff\xd9"


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC, 0xD0, 0xE0, 0xFE])
def test_only_the_frame_of_a_jpeg_has_its_size(marker):
    header = parse_header(jpeg((marker, b"\x08\x00\x05\x00\x07\x03")))
    assert (header.width, header.height) == (24, 18)


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC3, 0xC5, 0xCF])
def test_the_first_frame_of_a_jpeg_has_its_size(marker):
    header = parse_header(jpeg((marker, b"\x08\x00\x05\x00\x07\x03")))
    assert (header.width, header.height) == (7, 5)


def test_filling_bytes_and_empty_segments_of_a_jpeg_are_passed_over():
    plain = jpeg((0xFE, b""))
    assert parse_header(plain).width == 24
    assert parse_header(plain[:2] + b"\xff\xff\xff\x01" + plain[2:]).width == 24
    with pytest.raises(Unreadable, match="contains no image"):
        parse_header(plain[:4] + b"\0\x01" + plain[6:])  # a length below that of itself


def test_a_jpeg_ends_after_its_pixels():
    whole = jpeg()
    thumbnail = jpeg((0xE1, b"Exif\0\0\xff\xd9"))
    for data in (whole, thumbnail):
        assert parse_header(data).height == 18
        with pytest.raises(Unreadable, match="its JPEG data is truncated"):
            parse_header(data[:-1])
    scan = whole.index(b"\xff\xda")
    for end in (scan + 1, scan + 3, scan + 13):
        with pytest.raises(Unreadable, match="its JPEG header is truncated"):
            parse_header(whole[:end])
    with pytest.raises(Unreadable, match="its JPEG data is truncated"):
        parse_header(whole[: scan + 14])
    start = whole.index(b"\xff\xc0")
    with pytest.raises(Unreadable, match="has no image size"):
        parse_header(whole[:start] + whole[scan:])


def test_the_extent_of_a_bitmap_is_that_of_rows_of_four_bytes():
    for width, mode in ((3, "RGB"), (5, "L"), (33, "1"), (32, "1")):
        file = io.BytesIO()
        Image.new(mode, (width, 7)).save(file, "BMP")
        data = file.getvalue()
        assert parse_header(data).height == 7
        with pytest.raises(Unreadable, match="its BMP data is truncated"):
            parse_header(data[:-1])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("before", "cut", "wanted"), [(0, 0, 6), (2, 0, 6), (1, 1, 1), (0, 12, 1)])
def test_an_orientation_is_read_from_a_whole_entry(order, before, cut, wanted):
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0)
    others = b"".join(struct.pack(order + "HHII", 0x0100 + i, 4, 1, 9) for i in range(before))
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    block = start + struct.pack(order + "H", before + 1) + others + entry
    assert tiff_orientation(block[: len(block) - cut]) == wanted
