"""Camtrap DP: packages as published, observations of images and of events, malformed rows."""

import json

import pytest

from tests.formats.reading import by_path, read, rejects, write_files
from workbench.domain.datasets import DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError
from workbench.formats import FORMATS, recognised

PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0/camtrap-dp-profile.json"
PACKAGE = {
    "profile": PROFILE,
    "resources": [
        {"name": "deployments", "path": "deployments.csv"},
        {"name": "media", "path": "media.csv"},
        {"name": "observations", "path": "tables/observations.csv"},
    ],
}
MEDIA = """mediaID,deploymentID,captureMethod,timestamp,filePath,filePublic,fileMediatype
m1,d1,activityDetection,2020-05-24T22:57:37Z,d1/1.jpg,true,image/jpeg
m2,d1,activityDetection,2020-05-24T22:57:38Z,d1/2.jpg,true,image/jpeg
m3,d1,activityDetection,2020-05-24T23:59:00Z,d1/3.jpg,true,image/jpeg
m4,d2,activityDetection,2020-05-24T22:57:38Z,d2/4.jpg,true,image/jpeg
v1,d2,activityDetection,2020-05-24T22:57:38Z,d2/5.mp4,true,video/mp4
"""
HEADER = (
    "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,"
    "observationType,scientificName,lifeStage,sex,behavior,bboxX,bboxY,bboxWidth,bboxHeight,"
    "classificationMethod,classifiedBy,classificationProbability"
)
TIMES = "2020-05-24T22:57:00Z,2020-05-24T22:58:00Z"
OBSERVATIONS = f"""{HEADER}
o1,d1,m1,e1,{TIMES},media,animal,Vulpes vulpes,adult,female,,0.25,0.5,0.5,0.25,machine,Net,0.875
o2,d1,m1,e1,{TIMES},media,animal,Anas strepera,,,,,,,,human,Jane,
o3,d1,,e1,{TIMES},event,animal,Ardea cinerea,,,foraging,,,,,human,Jane,
o4,d2,m4,,{TIMES},media,blank,,,,,,,,,,,
o5,d2,v1,,{TIMES},media,animal,Felis catus,,,,,,,,,,
"""


@pytest.fixture
def folder(tmp_path):
    return write_files(
        tmp_path,
        {
            "datapackage.json": json.dumps(PACKAGE),
            "media.csv": MEDIA,
            "tables/observations.csv": OBSERVATIONS,
        },
    )


def seen(**labels):
    return tuple(GivenLabel(name, label) for name, label in labels.items())


def test_a_package_as_published(folder):
    assert recognised(folder)[0].name == "camtrap"
    assert not FORMATS["camtrap"].written
    dataset = read("camtrap", folder)
    assert dataset.rejected == []
    assert dataset.remarks == ["1 video or sound is ignored."]
    fox = tuple(
        GivenLabel(name, label, "model", 0.875, "Net")
        for name, label in (
            ("scientificName", "Vulpes vulpes"),
            ("observationType", "animal"),
            ("lifeStage", "adult"),
            ("sex", "female"),
        )
    )
    duck = tuple(
        GivenLabel(name, label, "human", 1.0, "Jane")
        for name, label in (("scientificName", "Anas strepera"), ("observationType", "animal"))
    )
    heron = tuple(
        GivenLabel(name, label, "human", 1.0, "Jane")
        for name, label in (
            ("scientificName", "Ardea cinerea"),
            ("observationType", "animal"),
            ("behavior", "foraging"),
        )
    )
    event = seen(deploymentID="d1", eventID="e1")
    assert dataset.images == [
        ImageRecord(
            "d1/1.jpg",
            (*event, *duck),
            regions=(Region((0.25, 0.5, 0.75, 0.75), fox, relative=True),),
            line=2,
            file="media.csv",
        ),
        ImageRecord("d1/2.jpg", (*event, *heron), line=3, file="media.csv"),
        ImageRecord("d1/3.jpg", seen(deploymentID="d1"), line=4, file="media.csv"),
        ImageRecord(
            "d2/4.jpg",
            seen(deploymentID="d2", observationType="blank"),
            line=5,
            file="media.csv",
        ),
    ]
    assert dataset.sets["scientificName"] == DeclaredSet(
        ("Anas strepera", "Vulpes vulpes", "Ardea cinerea")
    )
    assert list(dataset.sets) == [
        *("scientificName", "observationType", "lifeStage", "sex", "behavior"),
        *("deploymentID", "eventID"),
    ]


def test_two_species_in_an_image_are_not_exclusive(folder):
    row = f"o6,d1,m1,e1,{TIMES},media,animal,Felis catus,,,,,,,,human,Jane,\n"
    write_files(folder, {"tables/observations.csv": OBSERVATIONS + row})
    dataset = read("camtrap", folder)
    assert dataset.sets["scientificName"].exclusive is False
    assert dataset.sets["sex"].exclusive is True


def test_the_limits_of_an_event_belong_to_it(folder):
    times = "2020-05-24T22:57:38Z,2020-05-24T23:59:00Z"
    row = f"o1,d1,,,{times},event,animal,Vulpes vulpes,,,,,,,,,,\n"
    write_files(folder, {"tables/observations.csv": f"{HEADER}\n{row}"})
    found = by_path(read("camtrap", folder))
    with_fox = [path for path, one in found.items() if "Vulpes vulpes" in str(one.labels)]
    assert with_fox == ["d1/2.jpg", "d1/3.jpg"]


def test_times_in_other_zones(folder):
    times = "2020-05-25T00:57:38+0200,2020-05-25T00:57:38+02:00"
    row = f"o1,d1,,,{times},event,animal,Vulpes vulpes,,,,,,,,,,\n"
    write_files(folder, {"tables/observations.csv": f"{HEADER}\n{row}"})
    found = by_path(read("camtrap", folder))
    with_fox = [path for path, one in found.items() if "Vulpes vulpes" in str(one.labels)]
    assert with_fox == ["d1/2.jpg"]


def test_malformed_rows_are_rejected_and_the_others_kept(folder):
    media = MEDIA.splitlines()
    media[2:2] = [
        ",d1,,,a.jpg,,image/jpeg",
        "m9,d1,,,,,image/jpeg",
        "m1,d1,,,a.jpg,,image/jpeg",
        "m9,d1,,,https://example.org/a.jpg,,image/jpeg",
        "m9,d1,,yesterday,a.jpg,,",
        "m9,d1",
    ]
    rows = [
        f"o,d1,m2,,{TIMES},media,animal,Fox,,,,,,,,,,2",
        f"o,d1,m2,,{TIMES},media,animal,Fox,,,,0.5,0.5,,,,,",
        f"o,d1,m2,,{TIMES},media,animal,Fox,,,,0.5,0.5,0.6,0.2,,,",
        f"o,d1,m2,,{TIMES},media,animal,Fox,,,,0.5,0.5,0,0.2,,,",
        "o,d1,,,,,event,animal,Fox,,,,,,,,,,",
        f"o,,,,{TIMES},event,animal,Fox,,,,,,,,,,",
        f"o,d1,m10,,{TIMES},media,animal,Fox,,,,,,,,,,",
        f"o,d1,m2,,{TIMES},media,animal,Fox,,,,,,,,,,",
    ]
    write_files(
        folder,
        {
            "media.csv": "\n".join(media),
            "tables/observations.csv": "\n".join([HEADER, *rows]),
        },
    )
    dataset = read("camtrap", folder)
    assert rejects(dataset) == [
        ("media.csv, line 3", "the row has no mediaID"),
        ("media.csv, line 4", "the row has no filePath"),
        ("media.csv, line 5", "“m1” is listed twice"),
        ("media.csv, line 6", "the image is not in the package, but at an address"),
        ("media.csv, line 7", "“yesterday” is not a time"),
        ("media.csv, line 8", "2 cells, but 7 columns"),
        ("observations.csv, line 2", "“2” is not a probability"),
        ("observations.csv, line 3", "the row has no bboxWidth"),
        ("observations.csv, line 4", "the box is not inside of the image"),
        ("observations.csv, line 5", "the box is empty"),
        ("observations.csv, line 6", "the row has no eventStart"),
        ("observations.csv, line 7", "the row has no deploymentID"),
    ]
    assert "1 row of observations.csv is ignored: its image is not listed." in dataset.remarks
    found = by_path(dataset)
    assert list(found) == ["d1/1.jpg", "d1/2.jpg", "d1/3.jpg", "d2/4.jpg"]
    assert "Fox" in str(found["d1/2.jpg"].labels)


def test_a_package_without_observations(folder):
    (folder / "tables/observations.csv").unlink()
    dataset = read("camtrap", folder)
    assert len(dataset.images) == 4
    assert list(dataset.sets) == ["deploymentID"]


@pytest.mark.parametrize("text", ["", "[", "3", '{"resources": 3}', '{"resources": [3]}'])
def test_a_damaged_package_is_refused(folder, text):
    write_files(folder, {"datapackage.json": text})
    with pytest.raises(KnownError, match=r"datapackage\.json cannot be read"):
        read("camtrap", folder)


def test_tables_outside_of_the_package_are_not_read(folder):
    resources = [{"name": "media", "path": "../media.csv"}, {"name": "observations", "path": 3}]
    write_files(folder, {"datapackage.json": json.dumps({"resources": resources})})
    write_files(folder, {"observations.csv": OBSERVATIONS})
    assert len(read("camtrap", folder).images) == 4
    (folder / "media.csv").unlink()
    with pytest.raises(KnownError, match=r"media\.csv cannot be read: no such file"):
        read("camtrap", folder)


def test_other_packages_are_not_recognised(tmp_path):
    write_files(tmp_path, {"datapackage.json": '{"resources": []}'})
    assert not FORMATS["camtrap"].recognises(tmp_path)
    assert not FORMATS["camtrap"].recognises(tmp_path / "absent")
    write_files(tmp_path, {"datapackage.json": json.dumps({"profile": PROFILE})})
    assert FORMATS["camtrap"].recognises(tmp_path)


def test_a_quotation_mark_does_not_swallow_the_rows_after_it(tmp_path):
    header = "mediaID,deploymentID,filePath,fileMediatype"
    rows = ["m1,d1,a.jpg,image/jpeg", 'm2,"d1,b.jpg,image/jpeg', "m3,d1,c.jpg,image/jpeg"]
    files = {
        "datapackage.json": '{"profile": "camtrap-dp"}',
        "media.csv": "\n".join([header, *rows]),
    }
    dataset = read("camtrap", write_files(tmp_path, files))
    assert [image.path for image in dataset.images] == ["a.jpg", "c.jpg"]
    assert rejects(dataset) == [("media.csv, line 3", "the quotation marks do not match")]
