"""A damaged image is read or refused in a sentence, whatever its format and the damage."""

import contextlib
import io
import warnings

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.damage import DAMAGES, flipped, refusal
from tests.fixtures.scenes import OPTIONS, heic, scene, swapped_profile
from workbench.vision.headers import Unreadable
from workbench.vision.reading import examine, read_header, read_rgb

PROFILED = {"JPEG", "PNG", "TIFF", "WEBP", "AVIF"}


def encoded(kind: str, **options: object) -> bytes:
    if kind == "HEIC":
        return heic(icc=swapped_profile())
    file = io.BytesIO()
    options = {**OPTIONS.get(kind, {}), **options}
    if kind in PROFILED:
        exif = Image.Exif()
        exif[0x0112] = 6
        options |= {"icc_profile": swapped_profile(), "exif": exif.tobytes()}
    Image.fromarray(scene()).save(file, kind, **options)
    return file.getvalue()


FILES = {
    **{kind: encoded(kind) for kind in sorted(PROFILED)},
    **{kind: encoded(kind) for kind in ("BMP", "HEIC", "JPEG2000", "PPM", "TGA")},
    "progressive": encoded("JPEG", progressive=True),
    "LZW": encoded("TIFF", compression="tiff_lzw"),
    "run lengths": encoded("TGA", compression="tga_rle"),
    "text": b"P3 64 48 255 " + " ".join(map(str, scene().ravel().tolist())).encode(),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_damage_is_read_or_refused(tmp_path, kind):
    path = tmp_path / "x"
    data = FILES[kind]
    rng = np.random.default_rng(7)
    places = rng.integers(0, min(len(data), 700), 60).tolist()
    variants = [damage(data) for damage in DAMAGES.values()]
    variants += [flipped(data, at, at % 8) for at in places]
    variants += [data[:at] + bytes(9) + data[at + 9 :] for at in places[:20]]
    variants += [data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :] for at in places[:20]]
    for variant in variants:
        path.write_bytes(variant)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_read_or_refused(path)


def assert_read_or_refused(path):
    with contextlib.suppress(Unreadable):
        examine(path)
    made = []
    error = refusal(lambda: made.append(read_rgb(path, longest=256)))
    if error is not None:
        assert str(path) in error.sentence
        return
    (pixels,) = made
    header = read_header(path)
    scale = min(1, 256 / max(header.width, header.height))
    wanted = max(1, round(header.height * scale)), max(1, round(header.width * scale)), 3
    assert (pixels.shape, pixels.dtype) == (wanted, np.uint8)


def test_a_heic_whose_items_have_no_text_for_a_type_is_refused(tmp_path):
    data = heic()
    assert b"\0\0Exif\0" in data
    (tmp_path / "x.heic").write_bytes(data.replace(b"\0\0Exif\0", b"\0\0\xbb\xf5g\xff\0"))
    with pytest.raises(Unreadable, match="its HEIF header is damaged"):
        examine(tmp_path / "x.heic")
