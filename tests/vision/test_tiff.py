"""Fields of TIFF and EXIF, and kinds of TIFF that are read right or refused as what they are."""

import io
import struct
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.scenes import OPTIONS, heic, scene
from tests.vision.test_colours import with_png_chunk
from tests.vision.test_orientations import tiff
from workbench.vision.headers import Unreadable, capture_time, parse_header
from workbench.vision.reading import examine, read_rgb
from workbench.vision.tiff import Directory

TAKEN = datetime(2026, 5, 4, 3, 2, 1)
TYPES = {2: 1, 3: 2, 4: 4}


def written(order: str, tags: dict[int, tuple[int, bytes]], body: bytes = b"") -> bytes:
    """A TIFF with these tags (type and packed values); strips are offsets into the body."""
    at = 8 + 2 + 12 * len(tags) + 4
    start = at + sum(len(values) for _, values in tags.values() if len(values) > 4)
    entries, far = b"", b""
    offsets = struct.unpack(f"{order}{len(tags[273][1]) // 4}I", tags[273][1])
    moved = struct.pack(f"{order}{len(offsets)}I", *(start + one for one in offsets))
    for tag, (kind, values) in sorted((tags | {273: (4, moved)}).items()):
        entries += struct.pack(order + "HHI", tag, kind, len(values) // TYPES[kind])
        if len(values) > 4:
            entries += struct.pack(order + "I", at + len(far))
            far += values
        else:
            entries += values.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(order + "IH", 8, len(tags))
    return head + entries + bytes(4) + far + body


def image(pixels: np.ndarray, photometric: int, order: str = "<", **more: int) -> bytes:
    """An uncompressed TIFF of the array's own type; `more` may set planar, floats or strips."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    planes = more.get("planar", 1) == 2
    stored = pixels.transpose(2, 0, 1) if planes else pixels
    body = np.ascontiguousarray(stored).astype(pixels.dtype.newbyteorder(order)).tobytes()
    strips = more.get("strips", channels if planes else 1)
    step = len(body) // strips

    def shorts(*values: int) -> tuple[int, bytes]:
        return 3, struct.pack(f"{order}{len(values)}H", *values)

    def longs(values: list[int]) -> tuple[int, bytes]:
        return 4, struct.pack(f"{order}{len(values)}I", *values)

    tags = {256: longs([width]), 257: longs([height]), 277: shorts(channels)}
    tags |= {258: shorts(*[8 * pixels.dtype.itemsize] * channels), 259: shorts(1)}
    tags |= {262: shorts(photometric), 284: shorts(more.get("planar", 1))}
    tags |= {278: longs([height if planes else height // strips or 1])}
    tags |= {339: shorts(*[more.get("floats", 1)] * channels)}
    tags |= {273: longs([step * at for at in range(strips)]), 279: longs([step] * strips)}
    return written(order, tags, body)


def levels() -> np.ndarray:
    return np.mgrid[0:48, 0:64][1] * 1040


def test_deep_grey_where_white_is_zero_is_not_a_negative(tmp_path):
    (tmp_path / "x.tif").write_bytes(image((65535 - levels()).astype(np.uint16), 0))
    assert np.abs(read_rgb(tmp_path / "x.tif")[:, :, 0] - levels() / 257).max() <= 1
    (tmp_path / "y.tif").write_bytes(image(levels().astype(np.uint16), 1))
    assert np.abs(read_rgb(tmp_path / "y.tif")[:, :, 0] - levels() / 257).max() <= 1
    (tmp_path / "z.tif").write_bytes(image(255 - scene()[:, :, 0], 0))
    assert (read_rgb(tmp_path / "z.tif")[:, :, 0] == scene()[:, :, 0]).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (image(scene().astype(np.uint16) * 257, 2, planar=2), "3 × 16 bits"),
        (image(levels().astype(np.uint16), 0, ">"), "1 × 16 bits"),
        (image((scene() / 255).astype(np.float32), 2, floats=3), "3 × 32-bit floats"),
        (image((scene()[:, :, 0] / 255).astype(np.float64), 1, floats=3), "1 × 64-bit floats"),
        (image((scene()[:, :, 0] / 255).astype(np.float16), 1, floats=3), "1 × 16-bit floats"),
    ],
    ids=["deep planes", "negative", "coloured floats", "doubles", "halves"],
)
def test_a_kind_of_tiff_that_is_not_read_is_no_damage(tmp_path, data, reason):
    (tmp_path / "x.tif").write_bytes(data)
    with pytest.raises(Unreadable, match=f"its kind of TIFF is not supported: {reason}"):
        examine(tmp_path / "x.tif")


def test_planes_of_bytes_are_read(tmp_path):
    (tmp_path / "x.tif").write_bytes(image(scene(), 2, planar=2))
    assert (read_rgb(tmp_path / "x.tif") == scene()).all()


def test_strips_are_counted_before_they_are_read():
    grey = scene()[:, :, 0]
    assert parse_header(image(grey, 1, strips=48)).height == 48
    data = image(np.zeros((100_001, 1), np.uint8), 1, strips=100_001)
    with pytest.raises(Unreadable, match="it has more than 100,000 strips or tiles"):
        parse_header(data)


def test_a_directory_that_leads_to_itself_is_read_once():
    data = bytearray(tiff("<", 3, 6))
    (count,) = struct.unpack_from("<H", data, 8)
    struct.pack_into("<I", data, 10 + 12 * count, 8)
    assert (parse_header(bytes(data)).width, parse_header(bytes(data)).orientation) == (48, 6)


def test_a_directory_counts_only_fields_that_are_there():
    block = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 1 << 60) + bytes(40)
    assert set(Directory(block).fields) == {0}
    with pytest.raises(ValueError, match="no byte order"):
        Directory(b"XX*\0" + bytes(9))


def exif(order: str = ">") -> bytes:
    text = TAKEN.strftime("%Y:%m:%d %H:%M:%S").encode() + b"\0"
    inner = struct.pack(order + "HHHII", 1, 0x9003, 2, 20, 44) + bytes(4)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    outer = struct.pack(order + "HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    return head + outer + inner + text


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "JPEG2000", "HEIC"])
def test_the_time_of_capture_is_read_in_every_format(tmp_path, kind, order):
    block, file, picture = exif(order), io.BytesIO(), Image.fromarray(scene())
    if kind == "HEIC":
        data = heic()
        at = data.index(b"Exif\0\0MM")
        # The last item of the file is the EXIF block, whose length stands in its table of places.
        data = data[:at] + b"Exif\0\0" + block
        place = data.index(b"iloc") + 12 + 18
        length = len(data) - struct.unpack_from(">I", data, place + 4)[0]
        data = data[: place + 14] + struct.pack(">I", length) + data[place + 18 :]
        start = data.index(b"mdat") - 4
        data = data[:start] + struct.pack(">I", len(data) - start) + data[start + 4 :]
    elif kind == "TIFF":
        pixels = scene()[:, :, 0]
        plain = image(pixels, 1, order)
        (count,) = struct.unpack_from(order + "H", plain, 8)
        far = len(plain) + 12
        entry = struct.pack(order + "HHII", 0x8769, 4, 1, far)
        # One more field moves all that follows by its length.
        data = _with_field(plain, order, count, entry)
        text = TAKEN.strftime("%Y:%m:%d %H:%M:%S").encode() + b"\0"
        data += struct.pack(order + "HHHII", 1, 0x9003, 2, 20, far + 18) + bytes(4) + text
    elif kind == "PNG":
        picture.save(file, kind)
        data = with_png_chunk(file.getvalue(), b"eXIf", block)
    elif kind == "JPEG2000":
        picture.save(file, kind)
        data = file.getvalue()
        body = b"JpgTiffExif->JP2" + block
        at = data.index(b"jp2c") - 4
        data = data[:at] + struct.pack(">I4s", 8 + len(body), b"uuid") + body + data[at:]
    else:
        picture.save(file, kind, exif=b"Exif\0\0" + block, **OPTIONS.get(kind, {}))
        data = file.getvalue()
    (tmp_path / "x").write_bytes(data)
    assert capture_time(tmp_path / "x") == TAKEN


def _with_field(data: bytes, order: str, count: int, entry: bytes) -> bytes:
    """A TIFF with one more field at the end of its directory."""
    end = 10 + 12 * count
    entries = bytearray(data[10:end])
    for at in range(0, len(entries), 12):
        tag, kind, number, value = struct.unpack_from(order + "HHII", entries, at)
        if tag == 273 or number * TYPES[kind] > 4:
            struct.pack_into(order + "I", entries, at + 8, value + 12)
    head = data[:8] + struct.pack(order + "H", count + 1)
    return head + bytes(entries) + entry + data[end:]


def test_a_time_that_is_none_is_unknown(tmp_path):
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, "PNG")
    for block in (b"", b"II", exif().replace(b"2026:05", b"20xx:05"), exif()[:-15]):
        (tmp_path / "x.png").write_bytes(with_png_chunk(file.getvalue(), b"eXIf", block))
        assert capture_time(tmp_path / "x.png") is None
    assert capture_time(tmp_path / "missing.png") is None
