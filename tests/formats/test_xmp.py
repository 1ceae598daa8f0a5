"""XMP sidecars: keywords of several programs, what stays in a sidecar, damage and round trips."""

import pytest
from hypothesis import given

from tests.formats.published_sets import datasets, labels_of, line, thorough
from tests.formats.reading import by_path, read, rejects, unplaced, write_files
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised

LIGHTROOM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:Rating="4" crs:Note="two&#10;lines">
   <!-- developed twice -->
   <dc:subject>
    <rdf:Bag>
     <rdf:li>left</rdf:li>
     <rdf:li>owl &amp; prey</rdf:li>
     <rdf:li>view</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>view|left</rdf:li>
     <rdf:li>place|Europe|Norway</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurve>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
DIGIKAM = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/">
   <digiKam:TagsList><rdf:Seq>
     <rdf:li>view/left</rdf:li><rdf:li>jay</rdf:li></rdf:Seq></digiKam:TagsList>
   <dc:subject><rdf:Bag><rdf:li>left</rdf:li><rdf:li>jay</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""
EMPTY = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about=""/></r:RDF>
</x:xmpmeta>"""


def labels(*pairs):
    return tuple(GivenLabel(name, label) for name, label in pairs)


def write(folder, *images, sets=()):
    dataset = Dataset(folder, list(images), sets=dict.fromkeys(sets, DeclaredSet()))
    return FORMATS["xmp"].write(folder, dataset, WriteOptions())


@pytest.fixture
def folder(tmp_path):
    return write_files(
        tmp_path,
        {
            "a.jpg": b"x",
            "a.xmp": LIGHTROOM,
            "below/b.png": b"x",
            "below/b.png.xmp": DIGIKAM,
            "c.jpg": b"x",
        },
    )


def test_keywords_of_lightroom_and_digikam(folder):
    assert "xmp" in [format.name for format in recognised(folder)]
    dataset = read("xmp", folder)
    assert dataset.rejected == []
    found = [(image.path, image.labels, image.file) for image in dataset.images]
    assert found == [
        (
            "a.jpg",
            labels(("view", "left"), ("place", "Europe|Norway"), ("", "owl & prey")),
            "a.xmp",
        ),
        ("below/b.png", labels(("view", "left"), ("", "jay")), "below/b.png.xmp"),
        ("c.jpg", (), ""),
    ]
    assert dataset.sets == {
        "view": DeclaredSet(("left",), exclusive=False),
        "place": DeclaredSet(("Europe|Norway",), exclusive=False),
        "": DeclaredSet(("owl & prey", "jay"), exclusive=False),
    }


def test_one_sidecar_of_two_images(folder):
    write_files(folder, {"a.tif": b"x"})
    found = {image.path: image.labels for image in read("xmp", folder).images}
    assert found["a.jpg"] == found["a.tif"] != ()


def test_keywords_of_images_inside_of_an_image_are_left_out(folder):
    inner = DIGIKAM[DIGIKAM.index("<rdf:Desc") : DIGIKAM.index(" </rdf:RDF>")]
    pantry = f'<p:Pantry xmlns:p="p:"><rdf:Bag><rdf:li>{inner}</rdf:li></rdf:Bag></p:Pantry>'
    text = LIGHTROOM.replace("<!-- developed twice -->", pantry)
    write_files(folder, {"a.xmp": text})
    assert "jay" not in str(read("xmp", folder).images[0].labels)
    write(folder, ImageRecord("a.jpg", labels(("", "eagle"))))
    assert inner in (folder / "a.xmp").read_text()


def test_everything_else_stays_in_a_sidecar(folder):
    before = LIGHTROOM[: LIGHTROOM.index("\n   <dc:subject>")]
    after = LIGHTROOM[LIGHTROOM.index("   <crs:ToneCurve>") :]
    middle, after = after.split("</crs:ToneCurve>")
    assert write(folder, ImageRecord("a.jpg", labels(("view", "right"), ("", "eagle")))) == []
    text = (folder / "a.xmp").read_text()
    assert text.startswith(before)
    assert f"{middle}</crs:ToneCurve>" in text
    assert text.endswith(after)
    assert not (folder / "a.jpg.xmp").exists()
    # The set “place” is none of the dataset's.
    expected = labels(("place", "Europe|Norway"), ("view", "right"), ("", "eagle"))
    assert read("xmp", folder).images[0].labels == expected
    assert write(folder, *read("xmp", folder).images) == []
    assert (folder / "a.xmp").read_text() == text, "writing again changes nothing"
    assert text.count("dc:subject") == 2


def test_labels_are_removed_from_a_sidecar(folder):
    assert write(folder, ImageRecord("a.jpg"), ImageRecord("c.jpg"), sets=("view", "")) == []
    assert read("xmp", folder).images[0].labels == labels(("place", "Europe|Norway"))
    assert not (folder / "c.jpg.xmp").exists()
    write(folder, ImageRecord("a.jpg"), sets=("place",))
    assert read("xmp", folder).images[0].labels == ()
    assert "dc:subject" not in (folder / "a.xmp").read_text()


def test_a_description_that_is_a_single_tag(folder):
    write_files(folder, {"c.xmp": EMPTY})
    assert write(folder, ImageRecord("c.jpg", labels(("", "owl")))) == []
    text = (folder / "c.xmp").read_text()
    assert '<r:Description r:about="">' in text
    assert text.endswith("</r:Description></r:RDF>\n</x:xmpmeta>")
    assert read("xmp", folder).images[1].labels == labels(("", "owl"))


def test_images_that_differ_in_their_extension_get_sidecars_of_their_own(folder):
    write(
        folder,
        ImageRecord("a.jpg", labels(("", "one"))),
        ImageRecord("a.png", labels(("", "two"))),
    )
    assert (folder / "a.xmp").read_text() == LIGHTROOM
    write_files(folder, {"a.png": b"x"})
    (folder / "a.xmp").unlink()
    found = {image.path: image.labels for image in read("xmp", folder).images}
    assert (found["a.jpg"], found["a.png"]) == (labels(("", "one")), labels(("", "two")))


@pytest.mark.parametrize(
    "damaged",
    [
        LIGHTROOM[:-40],
        "",
        "<x>",
        '<!DOCTYPE a [<!ENTITY b "c">]><a/>',
        LIGHTROOM.replace("<rdf:RDF", "<!DOCTYPE a><rdf:RDF").encode("utf-16"),
    ],
)
def test_a_damaged_sidecar_is_rejected_and_left_as_it_is(folder, damaged):
    write_files(folder, {"a.xmp": damaged})
    before = (folder / "a.xmp").read_bytes()
    dataset = read("xmp", folder)
    assert [image.path for image in dataset.images if image.labels] == ["below/b.png"]
    assert [place for place, _ in rejects(dataset)] == ["a.xmp"]
    assert write(folder, ImageRecord("a.jpg", labels(("", "owl")))) == [
        "1 sidecar is left as it is: it cannot be read."
    ]
    assert (folder / "a.xmp").read_bytes() == before


def test_a_sidecar_without_an_image_is_rejected(folder):
    (folder / "a.jpg").unlink()
    dataset = read("xmp", folder)
    assert rejects(dataset) == [("a.xmp", "there is no image beside it")]


def test_losses_are_counted(tmp_path):
    image = ImageRecord(
        "a.jpg",
        (
            GivenLabel("", "a|b"),
            GivenLabel("a|b", "c"),
            GivenLabel("", "\x07"),
            GivenLabel("", "owl", confidence=0.5),
        ),
        Part.TRAIN,
        (Region((0, 0, 1, 1)),),
    )
    assert write(tmp_path, image, ImageRecord("../b.jpg", labels(("", "x")))) == [
        "1 image is not written: its path is not valid in this format.",
        "3 labels are not written: keywords cannot contain them.",
        "The part of 1 image is not written.",
        "The confidence of 1 label is not written.",
        "1 box is not written.",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg.xmp"]


def test_images_in_folders_and_without_sidecars_belong_to_the_dataset(tmp_path):
    write(tmp_path / "2024" / "may", ImageRecord("a.jpg", labels(("view", "left"))))
    write_files(tmp_path, {"2024/may/a.jpg": b"x", "2024/b.jpg": b"x", "c.txt": b"x"})
    assert FORMATS["xmp"].recognises(tmp_path)
    assert [(one.path, one.labels) for one in read("xmp", tmp_path).images] == [
        ("2024/may/a.jpg", labels(("view", "left"))),
        ("2024/b.jpg", ()),
    ]


def test_other_folders_are_not_recognised(tmp_path):
    write_files(tmp_path / "other", {"a.xmp": "<xml/>"})
    assert not FORMATS["xmp"].recognises(tmp_path / "other")
    assert not FORMATS["xmp"].recognises(tmp_path)
    assert not FORMATS["xmp"].recognises(tmp_path / "other" / "a.xmp")


names = line.filter(lambda text: "|" not in text and not set(text) & set("\ufffe\uffff"))


@thorough
@given(datasets(labels_of(["", "view", "tags"], names, several=["", "tags"]), parts=()))
def test_what_is_written_is_read_again(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("xmp")
    assert FORMATS["xmp"].write(folder, dataset, WriteOptions()) == []
    write_files(folder, dict.fromkeys((image.path for image in dataset.images), b"x"))
    found = by_path(read("xmp", folder))
    assert found == {image.path: unplaced(image) for image in dataset.images}


def test_a_folder_is_recognised_by_any_of_its_sidecars(tmp_path):
    write_files(tmp_path, {f"{at}.jpg.xmp": "<broken" for at in range(3)})
    assert not FORMATS["xmp"].recognises(tmp_path)
    write_files(tmp_path, {"z.jpg.xmp": "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"})
    assert FORMATS["xmp"].recognises(tmp_path)
