"""What an image may cost is bounded before it is decoded: bytes, time, and memory."""

import io
import struct
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.scenes import assert_scene, scene, swapped_profile
from tests.vision.test_colours import with_png_chunk
from tests.vision.test_orientations import tiff
from workbench.vision import reading
from workbench.vision.headers import Unreadable, parse_header
from workbench.vision.netpbm import read_netpbm
from workbench.vision.reading import examine, read_header, read_rgb

MEASURED = """
import resource, sys
from pathlib import Path
import cv2
from workbench.vision.netpbm import read_netpbm
from workbench.vision.reading import examine, read_rgb
from workbench.domain.errors import KnownError
from workbench.vision.headers import Unreadable
cv2.setNumThreads(1)  # each of its threads reserves 75 MB of addresses, which the limit counts
sizes = Path("/proc/self/statm").read_text().split()
limit = int(sizes[0]) * resource.getpagesize() + int(sys.argv[2]) * 1_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    examine(Path(sys.argv[1]))
    print(*read_rgb(Path(sys.argv[1]), longest=256).shape)
except (Unreadable, KnownError) as error:
    print(error)
"""


def within(megabytes: int, path: Path) -> str:
    """What comes of an import and a thumbnail of a file, in a process with so much more memory
    than it starts with; one that hangs fails."""
    words = [sys.executable, "-c", MEASURED, str(path), str(megabytes)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.strip()


def png(width: int, height: int, depth: int, colours: int, idat: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", idat), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def zeros(count: int) -> bytes:
    """So many zeros, compressed."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(1 << 20)) for _ in range(count >> 20)]
    return b"".join(pieces) + packer.compress(bytes(count & 0xFFFFF)) + packer.flush()


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            png(1, 199_999_999, 8, 2, b"x\x9c\x03\0\0\0\0\x01"),
            "1 × 199999999 pixels cannot be stored in 8 bytes",
        ),
        (png(14_138, 14_138, 8, 2, zlib.compress(b"\0")), "cannot be stored in 9 bytes"),
        (png(14_138, 14_138, 16, 6, bytes(1_600_000)), "take 2.2 GB of memory to decode"),
    ],
    ids=["side", "few bytes", "deep"],
)
def test_an_image_that_costs_too_much_is_refused_without_decoding(tmp_path, data, reason):
    (tmp_path / "x.png").write_bytes(data)
    assert reason in within(100, tmp_path / "x.png")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
@pytest.mark.parametrize(("depth", "colours", "size"), [(8, 6, 4), (16, 0, 2), (8, 4, 4)])
def test_a_large_image_is_converted_without_copies_of_it(tmp_path, depth, colours, size):
    side = 6000
    row = 1 + side * depth // 8 * {0: 1, 4: 2, 6: 4}[colours]
    (tmp_path / "x.png").write_bytes(png(side, side, depth, colours, zeros(side * row)))
    assert within(side * side * size // 1_000_000 + 260, tmp_path / "x.png") == "256 256 3"


def test_parts_of_a_large_image_are_in_their_places(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BAND", 20_000)
    pixels = scene(500, 400)
    alpha = np.full((400, 500, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], 2)).save(tmp_path / "x.png")
    assert (read_rgb(tmp_path / "x.png") == pixels).all()
    for longest in (250, 240, 100, 77):
        small = read_rgb(tmp_path / "x.png", longest=longest)
        assert small.shape == (round(longest * 0.8), longest, 3)
        assert_scene(small)


def progressive(scans: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A progressive JPEG whose last scan is repeated until it has so many."""
    file = io.BytesIO()
    Image.fromarray(scene(*size)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    there = data.count(b"\xff\xda")
    return data[:-2] + data[last:-2] * (scans - there) + data[-2:]


def test_a_jpeg_has_at_most_a_hundred_scans(tmp_path):
    assert parse_header(progressive(100)).width == 64
    (tmp_path / "x.jpg").write_bytes(progressive(101))
    with pytest.raises(Unreadable, match=r"it has 101 scans.* limit is 100"):
        examine(tmp_path / "x.jpg")


def test_the_scans_of_a_large_jpeg_are_fewer():
    data = bytearray(progressive(80))
    frame = data.index(b"\xff\xc2")
    struct.pack_into(">HH", data, frame + 5, 7000, 7000)
    with pytest.raises(Unreadable, match=r"it has 80 scans.* limit is 61"):
        parse_header(bytes(data) + bytes(200_000))


def test_scans_count_whatever_stands_between_them(tmp_path):
    data = progressive(101)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    for inside in (b"\xff\xd9", b"\xff\xd9 \xff\xda \xff\xd8"):
        comment = b"\xff\xfe" + struct.pack(">H", 2 + len(inside)) + inside
        hidden = data[:second] + comment + data[second:]
        with pytest.raises(Unreadable, match="it has 101 scans"):
            parse_header(hidden)
        few = progressive(12)
        second_of_few = few.index(b"\xff\xda", few.index(b"\xff\xda") + 2)
        (tmp_path / "x.jpg").write_bytes(few[:second_of_few] + comment + few[second_of_few:])
        assert examine(tmp_path / "x.jpg").width == 64


def test_segments_and_chunks_are_not_read_without_end():
    data = progressive(10)
    assert parse_header(data[:2] + b"\xff\xfe\0\2" * 10_000 + data[2:]).width == 64
    for many in (
        data[:2] + b"\xff\xfe\0\2" * 20_001 + data[2:],
        data[:-2] + b"\xff\xfe\0\2" * 20_001 + data[-2:],
    ):
        with pytest.raises(Unreadable, match="it has more than 20,000 segments"):
            parse_header(many)
    plain = png(8, 8, 8, 0, zlib.compress(bytes(72)))
    text = with_png_chunk(plain, b"tEXt", b"a\0")[33:47]
    assert parse_header(plain[:33] + text * 1000 + plain[33:]).width == 8
    with pytest.raises(Unreadable, match="it has more than 200,000 chunks"):
        parse_header(plain[:33] + text * 200_001 + plain[33:])


def tiles(across: int, down: int, side: int) -> bytes:
    """A JPEG 2000 codestream that claims so many tiles and has one without pixels."""
    size = struct.pack(">H8IH", 0, across * side, down * side, 0, 0, side, side, 0, 0, 3)
    size += b"\7\1\1" * 3
    styles = b"\xff\x52\0\x0c" + b"\0\0\0\1\0\5\4\4\0\1"
    steps = b"\xff\x5c\0\x13\x40" + b"\x48" * 16
    tile = b"\xff\x90\0\x0a\0\0" + struct.pack(">I", 14) + b"\0\1\xff\x93"
    head = b"\xff\x4f\xff\x51" + struct.pack(">H", 2 + len(size)) + size
    return head + styles + steps + tile + b"\xff\xd9"


def test_a_jpeg_2000_has_all_the_tiles_that_it_claims():
    assert parse_header(tiles(1, 1, 64)).width == 64
    with pytest.raises(Unreadable, match="its JPEG 2000 data is truncated"):
        parse_header(tiles(250, 250, 16))
    many = parse_header(tiles(250, 250, 16) + bytes(14 * 250 * 250) + b"\xff\xd9")
    assert many.memory > 700_000_000  # of the decoder, whatever the size of the tiles


def test_run_lengths_of_a_bmp_describe_its_pixels():
    file = io.BytesIO()
    Image.new("L", (64, 48)).save(file, "BMP")
    data = bytearray(file.getvalue())
    struct.pack_into("<ii", data, 18, 14_000, 14_000)
    struct.pack_into("<I", data, 30, 1)
    with pytest.raises(Unreadable, match="14000 × 14000 pixels cannot be stored in"):
        parse_header(bytes(data[:1078]) + b"\0\2\0\xff" * 60 + b"\0\1")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
@pytest.mark.parametrize(
    "data",
    [
        b"P1 5000 5000\n" + b"1" * 25_000_000,
        b"P2 3000 3000 65535\n" + b"7 " * 9_000_000,
        b"P4 8000 8000\n" + bytes(8_000_000),
        b"P5 5000 5000 255\n" + bytes(25_000_000),
    ],
    ids=["P1", "P2", "P4", "P5"],
)
def test_netpbm_takes_the_memory_that_its_header_reports(tmp_path, data):
    (tmp_path / "x.pnm").write_bytes(data)
    needed = (3 * len(data) + parse_header(data).memory) / 1_000_000
    assert within(int(needed) + 60, tmp_path / "x.pnm") == "256 256 3"


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_colours_of_a_large_image_are_converted_in_parts(tmp_path):
    side = 5000
    flat = png(side, side, 8, 2, zeros(side * (3 * side + 1)))
    icc = b"x\0\0" + zlib.compress(swapped_profile())
    (tmp_path / "x.png").write_bytes(with_png_chunk(flat, b"iCCP", icc))
    code = MEASURED.replace("longest=256", "longest=None")
    assert "longest=None" in code
    words = [sys.executable, "-c", code, str(tmp_path / "x.png"), "300"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == "5000 5000 3"


def test_the_scans_of_images_after_the_first_do_not_count():
    assert parse_header(progressive(60) + progressive(90)).height == 48


def test_a_jpeg_of_many_pixels_has_some_bytes():
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "JPEG")
    data = bytearray(file.getvalue())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 14_000, 14_000)
    with pytest.raises(Unreadable, match="14000 × 14000 pixels cannot be stored in"):
        parse_header(bytes(data))


def test_an_image_of_one_colour_is_not_implausible(tmp_path):
    for kind, side in (("JPEG", 4000), ("PNG", 4000), ("TIFF", 3000), ("WEBP", 3000)):
        options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
        Image.new("RGB", (side, side)).save(tmp_path / "x", kind, **options)
        assert read_header(tmp_path / "x").width == side
    Image.new("1", (9000, 9000)).save(tmp_path / "x", "TIFF", compression="group4")
    assert read_header(tmp_path / "x").width == 9000


def test_a_tile_larger_than_its_image_counts():
    assert parse_header(tiff("<", 3, 1, {322: 600, 323: 600})).width == 64
    with pytest.raises(Unreadable, match=r"take 25\.2 GB of memory"):
        parse_header(tiff("<", 3, 1, {322: 60_000, 323: 60_000}))


def test_metadata_of_any_size_is_passed_over(tmp_path):
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, "PNG")
    data = file.getvalue()
    for name in (b"tEXt", b"iTXt", b"eXIf"):
        data = with_png_chunk(data, name, b"a\0" + bytes(3_000_000))
    (tmp_path / "x.png").write_bytes(data)
    assert_scene(read_rgb(tmp_path / "x.png"))


@pytest.mark.parametrize(("large", "free"), [(1_000_000, True), (1, False)])
def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch, large, free):
    """While one is decoded, another thread cannot start with one."""
    plain, found = reading._stored_pixels, []

    def decoded(*given):
        with ThreadPoolExecutor(1) as other:
            found.append(other.submit(reading._large.acquire, blocking=False).result())
        return plain(*given)

    monkeypatch.setattr(reading, "_large", threading.RLock())
    monkeypatch.setattr(reading, "_stored_pixels", decoded)
    monkeypatch.setattr(reading, "LARGE", large)
    Image.fromarray(scene()).save(tmp_path / "x.png")
    assert_scene(read_rgb(tmp_path / "x.png"))
    assert found == [free]


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_comments_of_a_netpbm_file_take_little_memory(tmp_path):
    data = b"P3\n" + b"#\n" * 400_000 + b"2 2 255\n" + b"#\n" * 400_000 + b"1 " * 12
    (tmp_path / "x.ppm").write_bytes(data)
    assert within(60, tmp_path / "x.ppm") == "2 2 3"


@pytest.mark.parametrize("kind", [b"P1\n%b1 1 %b1", b"P2\n%b1 1 255 %b1", b"P5\n%b1 1 255 %b1"])
def test_comments_of_a_netpbm_file_are_limited(kind):
    many = b"#\n" * 2_000_000
    with pytest.raises(ValueError, match="no number"):
        read_netpbm(kind % (many, b""))
    if not kind.startswith(b"P5"):
        with pytest.raises(ValueError, match="missing"):
            read_netpbm(kind % (b"", many))
