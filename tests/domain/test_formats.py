"""The registry of image formats: lookup by extension, unique extensions, sentences."""

import pytest

from workbench.domain.formats import IMAGE_FORMATS, ImageFormat, enumerated, images_read


@pytest.mark.parametrize(("path", "name"), [("a/b.PNG", "PNG"), ("photo.JPE", "JPEG")])
def test_a_format_is_found_by_its_ending_in_any_case(path, name):
    assert IMAGE_FORMATS.of(path).name == name


@pytest.mark.parametrize("path", ["a.png/b", "noending", ".png", "x.png.gz", "x.csv", ""])
def test_an_unknown_ending_has_no_format(path):
    assert IMAGE_FORMATS.of(path) is None


def test_an_ending_belongs_to_one_format():
    with pytest.raises(ValueError, match=r"\.png of Other is PNG"):
        IMAGE_FORMATS.register(ImageFormat("Other", (".new", ".png")))
    assert IMAGE_FORMATS.of("x.new") is None
    every = [ending for format in IMAGE_FORMATS for ending in format.endings]
    assert len(set(every)) == len(every)
    assert all(ending.startswith(".") and ending == ending.lower() for ending in every)


def test_formats_that_are_read_are_named_in_a_sentence():
    assert images_read() == (
        "Supported formats: JPEG, PNG, BMP, TIFF, WebP, HEIF, AVIF, JPEG 2000, Netpbm and TGA."
    )
    assert IMAGE_FORMATS.of("x.gif") not in IMAGE_FORMATS.read()


@pytest.mark.parametrize(
    ("words", "sentence"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), ("abc", "a, b or c")]
)
def test_names_are_joined_for_a_sentence(words, sentence):
    assert enumerated(words, "or") == sentence


UNREAD = ("jls", "wbmp", "im", "msp", "bpg", "flif", "heics", "avifs", "mp4", "mov", "svs")


@pytest.mark.parametrize("ending", UNREAD)
def test_images_and_videos_that_are_not_read_are_known(ending):
    format = IMAGE_FORMATS.of(f"x.{ending}")
    assert format is not None
    assert not format.read
