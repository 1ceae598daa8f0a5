"""The registry of formats and the decoders agree on the images that are read."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from workbench.domain.formats import FORMATS, FileKind
from workbench.vision.headers import _PARSERS, NAMES, Unreadable, examine, parse_header
from workbench.vision.reading import read_rgb

READ = [(one.name, ending) for one in FORMATS.read_as(FileKind.IMAGE) for ending in one.endings]


@pytest.mark.parametrize(("name", "ending"), READ)
def test_every_ending_that_is_read_is_decoded(tmp_path, name, ending):
    file = tmp_path / f"x{ending}"
    pixels = np.random.default_rng(1).integers(0, 255, (18, 24, 3), np.uint8)
    Image.fromarray(pixels).save(file, format=name)
    assert NAMES[parse_header(file.read_bytes()).format] == name
    facts = examine(file)
    assert (facts.width, facts.height) == (24, 18)
    assert read_rgb(file).shape == (18, 24, 3)


def test_no_kind_is_decoded_that_the_registry_does_not_list():
    assert set(NAMES) == set(_PARSERS)


@pytest.mark.parametrize("name", ["GIF", "ICO"])
def test_a_kind_that_is_not_read_is_not_decoded(tmp_path, name):
    assert not next(one for one in FORMATS if one.name == name).read
    Image.new("RGB", (32, 32)).save(tmp_path / "x", format=name)
    with pytest.raises(Unreadable, match=r"JPEG, PNG, BMP, TIFF or WebP"):
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
