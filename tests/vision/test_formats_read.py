"""Formats with kinds of their own: Netpbm, TGA, JPEG 2000, and JPEGs with a replaced end."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.scenes import COLOURS, OPTIONS, assert_scene, heic, scene
from workbench.domain.errors import KnownError
from workbench.vision import netpbm
from workbench.vision.headers import Unreadable, parse_header
from workbench.vision.reading import examine, read_header, read_rgb


def read(path, data):
    path.write_bytes(data)
    return read_rgb(path)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"P1\n# a comment\n3 1\n1 0 1", (0, 255, 0)),
        (b"P1 3 1\n101", (0, 255, 0)),
        (b"P4\n3 1\n\xa0", (0, 255, 0)),
        (b"P2 3 1 255 0 128 255", (0, 128, 255)),
        (b"P2 3 1 # depth\n 3 # values\n0 1 # one\n 3", (0, 85, 255)),
        (b"P2 3 1 65535 0 257 65535", (0, 1, 255)),
        (b"P5 3 1 255\n\0\x80\xff", (0, 128, 255)),
        (b"P5 3 1 15\n\0\x03\x0f", (0, 51, 255)),
        (b"P5 3 1 65535\n\0\0\x01\x01\x80\x80", (0, 1, 128)),
        (b"P5 3 1 1023\n\0\0\x02\0\x03\xff", (0, 128, 255)),
    ],
)
def test_grey_netpbm_is_scaled_by_its_greatest_value(tmp_path, data, wanted):
    assert read(tmp_path / "x.pgm", data).tolist() == [[[grey] * 3 for grey in wanted]]


def test_coloured_netpbm_is_read_as_text_and_as_bytes(tmp_path):
    pixels = scene()
    text = " ".join(map(str, pixels.ravel().tolist()))
    head = "64 48\n255\n"
    assert (read(tmp_path / "a.ppm", f"P3\n{head}{text}\n".encode()) == pixels).all()
    assert (read(tmp_path / "b.ppm", f"P6\n{head}".encode() + pixels.tobytes()) == pixels).all()
    deep = (pixels.astype(np.uint16) * 257).astype(">u2").tobytes()
    assert (read(tmp_path / "c.pnm", b"P6 64 48 65535\n" + deep) == pixels).all()


def test_netpbm_text_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(netpbm, "BLOCK", 100)
    pixels = scene()
    lines = "\n".join(" ".join(map(str, row)) for row in pixels.reshape(48, -1).tolist())
    for text in (lines, lines.replace("\n", " # 9 9 9\n"), lines.replace("\n", "\r")):
        assert (read(tmp_path / "x.ppm", f"P3 64 48 255\n{text}".encode()) == pixels).all()
    for damaged in (lines[:-4], lines.replace("40", "4x", 1), lines.replace("200", "256", 1)):
        with pytest.raises(KnownError, match="cannot be decoded"):
            read(tmp_path / "x.ppm", f"P3 64 48 255\n{damaged}".encode())


def test_a_netpbm_header_that_windows_wrote_does_not_shift_the_colours(tmp_path):
    pixels = scene()
    data = b"P6\r\n64 48\r\n255\r\n" + pixels.tobytes()
    assert (read(tmp_path / "x.ppm", data) == pixels).all()
    ten = pixels.copy()
    ten[0, 0, 0] = ord("\n")  # a pixel, if there is no more than the pixels
    assert (read(tmp_path / "x.ppm", b"P6 64 48 255\r" + ten.tobytes()) == ten).all()


@pytest.mark.parametrize(
    "data",
    [
        b"P5 3 1 255\n\0\x80",
        b"P6 3 1 255\n" + bytes(8),
        b"P4 9 2\n\xa0\0\0",
        b"P2 3 1 255 0 1",
        b"P2 3 1 255 0 1 x",
        b"P2 3 1 255 0 1 256",
        b"P2 3 1 0 0 1 1",
        b"P5 3 1 65536\n" + bytes(12),
        b"P5 3\n",
        b"P5 -3 1 255\n" + bytes(9),
    ],
)
def test_damaged_netpbm_is_refused(tmp_path, data):
    with pytest.raises(KnownError, match=r"Netpbm (data|header) (is|cannot)"):
        read(tmp_path / "x.pgm", data)


def tga(kind: int, bits: int, flags: int, body: bytes, size: tuple[int, int] = (64, 48)) -> bytes:
    return struct.pack("<BBB5xHHHHBB", 0, 0, kind, 0, 0, *size, bits, flags) + body


def test_tga_of_every_direction_and_depth(tmp_path):
    bgr = scene()[:, :, ::-1]
    opaque = np.concatenate([bgr, np.full((48, 64, 1), 255, np.uint8)], 2)
    clear = np.concatenate([bgr, np.zeros((48, 64, 1), np.uint8)], 2)
    for data in (
        tga(2, 24, 0x20, bgr.tobytes()),
        tga(2, 24, 0x00, bgr[::-1].tobytes()),
        tga(2, 24, 0x30, bgr[:, ::-1].tobytes()),
        tga(2, 32, 0x28, opaque.tobytes()),
        tga(2, 32, 0x20, clear.tobytes()),  # no bits of alpha, whatever is stored
    ):
        assert_scene(read(tmp_path / "x.tga", data))
    white = read(tmp_path / "x.tga", tga(2, 32, 0x28, clear.tobytes()))
    assert white.min() == 255
    grey = tga(3, 8, 0x20, bytes((0, 128, 255, 7)), (2, 2))
    assert read(tmp_path / "x.tga", grey)[:, :, 1].tolist() == [[0, 128], [255, 7]]


def test_a_tga_with_run_lengths_is_whole_or_refused(tmp_path):
    runs = b"\xff\x0a\x14\x1e" * (64 * 48 // 128)
    pixels = read(tmp_path / "x.tga", tga(10, 24, 0x20, runs))
    assert (pixels == (30, 20, 10)).all()
    for data in (tga(10, 24, 0x20, runs[:-1]), tga(10, 24, 0x20, runs[:-4]), tga(2, 24, 0, runs)):
        (tmp_path / "x.tga").write_bytes(data)
        with pytest.raises(Unreadable, match="its TGA data is truncated"):
            examine(tmp_path / "x.tga")


@pytest.mark.parametrize(("alpha", "opaque"), [(0, True), (255, True), (51, False)])
def test_a_bmp_whose_alpha_was_never_set_is_opaque(tmp_path, alpha, opaque):
    bgra = np.concatenate([scene()[:, :, ::-1], np.full((48, 64, 1), alpha, np.uint8)], 2)
    rows = bgra[::-1].tobytes()
    head = b"BM" + struct.pack("<IHHI", 122 + len(rows), 0, 0, 122)
    info = struct.pack("<IiiHHIIiiII", 108, 64, 48, 1, 32, 3, len(rows), 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = read(tmp_path / "x.bmp", head + info + masks.ljust(68, b"\0") + rows)
    wanted = scene() if opaque else (scene() * 0.2 + 204).round()
    assert np.abs(pixels.astype(int) - wanted).max() <= (0 if opaque else 1)


@pytest.mark.parametrize("options", [{}, {"irreversible": True}, {"num_resolutions": 3}])
def test_jpeg_2000_is_read_at_every_size(tmp_path, options):
    pixels = Image.fromarray(scene(512, 384))
    for ending in (".jp2", ".j2k"):
        path = tmp_path / f"x{ending}"
        pixels.save(path, "JPEG2000", **options)
        assert_scene(read_rgb(path))
        for longest in (300, 256, 100, 20):
            small = read_rgb(path, longest=longest)
            assert small.shape == (round(longest * 0.75), longest, 3)
            assert np.abs(small[2, 2].astype(int) - COLOURS[0]).max() < 12
        data = path.read_bytes()
        (tmp_path / "y").write_bytes(data[: len(data) // 2])
        with pytest.raises(KnownError, match=r"data is truncated"):
            read_header(tmp_path / "y")


@pytest.mark.parametrize("size", [(501, 301), (1000, 998), (129, 257), (640, 3)])
def test_jpeg_2000_of_any_size_is_reduced(tmp_path, size):
    pixels = np.full((*size[::-1], 3), 90, np.uint8)
    for offset in ((0, 0), (7, 13)):
        Image.fromarray(pixels).save(tmp_path / "x.jp2")
        data = bytearray((tmp_path / "x.jp2").read_bytes())
        at = data.index(b"\xff\x51") + 6
        assert struct.unpack_from(">4I", data, at) == (*size, 0, 0)
        moved = size[0] + offset[0], size[1] + offset[1]
        if offset == (0, 0):
            for longest in range(5, max(size), 29):
                small = read_rgb(tmp_path / "x.jp2", longest=longest)
                assert max(small.shape) == longest
                assert (small == 90).all()
        struct.pack_into(">4I", data, at, *moved, *offset)
        assert (parse_header(bytes(data)).halvings > 0) == (offset == (0, 0))


def test_deep_grey_jpeg_2000_keeps_its_high_byte(tmp_path):
    deep = (np.mgrid[0:8, 0:64][1] * 1000).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.jp2")
    assert np.abs(read_rgb(tmp_path / "x.jp2")[:, :, 0] - deep / 257).max() <= 1


@pytest.mark.parametrize("name", ["heic", "avif"])
def test_cut_media_files_are_truncated(tmp_path, name):
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, "AVIF", **OPTIONS["AVIF"])
    data = heic() if name == "heic" else file.getvalue()
    for share in (0.3, 0.7, 0.99):
        with pytest.raises(Unreadable, match="truncated"):
            parse_header(data[: int(len(data) * share)])


def photograph(**options: object) -> bytes:
    """A JPEG of 320 × 240 with details everywhere."""
    noise = np.random.default_rng(3).integers(0, 255, (240, 320, 3), np.uint8)
    pixels = (scene(320, 240) * 0.8 + noise * 0.2).astype(np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert("CMYK") if options.pop("cmyk", False) else image).save(file, "JPEG", **options)
    return file.getvalue()


KINDS = ({}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"cmyk": True})


@pytest.mark.parametrize("options", KINDS)
def test_a_jpeg_with_a_replaced_end_is_damaged(tmp_path, options):
    whole = photograph(**options)
    half = whole[: len(whole) // 2]
    (tmp_path / "x.jpg").write_bytes(whole)
    facts = examine(tmp_path / "x.jpg")
    assert (facts.width, facts.height, facts.thumbnail[:2]) == (320, 240, b"\xff\xd8")
    zeros = bytes(len(whole) - len(half) - 2) + b"\xff\xd9"
    for forged in (half + b"\xff\xd9", half + zeros):
        (tmp_path / "x.jpg").write_bytes(forged)
        with pytest.raises(Unreadable, match="its JPEG data is damaged"):
            examine(tmp_path / "x.jpg")
        assert read_header(tmp_path / "x.jpg").width == 320


def test_a_few_bytes_too_many_are_no_damage(tmp_path):
    whole = photograph()
    for more in (b"\0", bytes(40), b"\xff" * 9):
        (tmp_path / "x.jpg").write_bytes(whole[:-2] + more + whole[-2:])
        assert examine(tmp_path / "x.jpg").width == 320
    (tmp_path / "x.jpg").write_bytes(whole + b"a trailer of a phone" * 99)
    assert examine(tmp_path / "x.jpg").width == 320


@pytest.mark.parametrize("options", KINDS)
def test_a_jpeg_with_the_half_of_another_is_damaged(tmp_path, options):
    whole = photograph(**options)
    (tmp_path / "x.jpg").write_bytes(whole[: len(whole) // 2] + photograph(quality=20))
    with pytest.raises(Unreadable, match="its JPEG data is damaged"):
        examine(tmp_path / "x.jpg")


@pytest.mark.parametrize("options", KINDS)
def test_a_whole_jpeg_without_its_end_may_be_followed_by_another(tmp_path, options):
    whole = photograph(**options)
    (tmp_path / "x.jpg").write_bytes(whole)
    known = read_rgb(tmp_path / "x.jpg"), read_rgb(tmp_path / "x.jpg", longest=100)
    thumbnail = examine(tmp_path / "x.jpg").thumbnail
    for other in (whole, photograph(quality=20)):
        (tmp_path / "x.jpg").write_bytes(whole[:-2] + other)
        assert (read_rgb(tmp_path / "x.jpg") == known[0]).all()
        assert (read_rgb(tmp_path / "x.jpg", longest=100) == known[1]).all()
        assert examine(tmp_path / "x.jpg").thumbnail == thumbnail


def test_a_jpeg_with_a_lost_part_between_restart_markers_is_damaged(tmp_path):
    whole = photograph(restart_marker_blocks=8)
    for lost, found in ((2000, b""), (400, b""), (2000, bytes(2000))):
        half = len(whole) // 2
        (tmp_path / "x.jpg").write_bytes(whole[:half] + found + whole[half + lost :])
        with pytest.raises(Unreadable, match="its JPEG data is damaged"):
            examine(tmp_path / "x.jpg")


def test_a_jpeg_padded_before_its_end_is_no_damage(tmp_path):
    whole = photograph()
    (tmp_path / "x.jpg").write_bytes(whole[:-2] + bytes(1000) + whole[-2:])
    assert examine(tmp_path / "x.jpg").thumbnail


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_image_that_cannot_be_decoded_is_damaged(tmp_path, kind):
    noise = np.random.default_rng(3).integers(0, 255, (240, 320, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    whole = file.getvalue()
    half = len(whole) // 2
    forged = whole[:half] + bytes(len(whole) - half)
    if kind == "WEBP":  # one chunk, half as long
        sizes = struct.pack("<I", half - 8), struct.pack("<I", half - 20)
        forged = b"RIFF" + sizes[0] + whole[8:16] + sizes[1] + whole[20:half]
    (tmp_path / "x").write_bytes(whole)
    assert examine(tmp_path / "x").thumbnail
    (tmp_path / "x").write_bytes(forged)
    with pytest.raises(Unreadable):
        examine(tmp_path / "x")
