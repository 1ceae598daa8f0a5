"""Previews of imports: what is found in files and folders without storing anything."""

import json
from pathlib import Path

import pytest
from PIL import Image

from workbench.app.images import preview as previews
from workbench.app.images.importing import import_task
from workbench.app.images.preview import SourcePreview, preview_task
from workbench.app.jobs import Done, run_here
from workbench.app.labels.reading import NO_CHOICES, ReadChoices


def write_images(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / name)
    return folder


def preview(session, *paths, choices=NO_CHOICES, **options) -> list[SourcePreview]:
    before = session.images.count()
    outcome = run_here(preview_task(session, paths, choices, **options))
    assert isinstance(outcome, Done)
    assert session.images.count() == before
    return list(outcome.value.sources)


def suggested(source: SourcePreview) -> dict[str, str]:
    return {one.own: one.suggested for one in source.sets}


def test_folders_with_parts_and_views(session, tmp_path):
    folder = write_images(
        tmp_path / "cars",
        "train/mini/left/a.png",
        "train/mini/right/b.png",
        "test/kombi/left/c.png",
    )
    (source,) = preview(session, folder)
    assert source.plain
    assert source.images == 3
    assert source.parts == {"train": 2, "test": 1}
    assert suggested(source) == {"0": "category", "1": "view"}
    assert [one.labels for one in source.sets] == [("kombi", "mini"), ("left", "right")]


def test_several_class_folders_and_images_are_one_source(session, tmp_path):
    write_images(tmp_path, "owl/1.png", "jay/2.png", "3.png")
    (source,) = preview(session, tmp_path / "owl", tmp_path / "jay", tmp_path / "3.png")
    assert source.images == 3
    assert source.sets[0].labels == ("owl", "jay")
    assert source.formats == ()


def test_a_folder_with_very_many_files_is_not_counted_to_its_end(session, tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "MOST_FILES", 3)
    folder = write_images(tmp_path / "birds", *(f"{one}/{n}.png" for one in "abc" for n in "12"))
    (source,) = preview(session, folder)
    assert not source.complete
    assert 3 <= source.images < 6


def test_a_table_with_its_columns(session, tmp_path):
    write_images(tmp_path, "a.png", "deep/b.png")
    table = tmp_path / "t.csv"
    table.write_text(
        "path,class,view,split,note\na.png,owl,left,train,x\nb.png,jay,right,test,y\n,z,left,,\n"
    )
    (source,) = preview(session, table)
    assert source.format == "table"
    assert (source.images, source.checked, source.found) == (2, 2, 2)
    assert suggested(source) == {"class": "category", "view": "view", "note": ""}
    assert source.parts == {"train": 1, "test": 1}
    assert source.rejected == 1
    assert source.base == tmp_path
    assert not source.guessed


def test_missing_files_are_counted(session, tmp_path):
    table = tmp_path / "t.csv"
    write_images(tmp_path, "a.png")
    table.write_text("path,class\na.png,owl\nnowhere.png,jay\n")
    (source,) = preview(session, table)
    assert (source.checked, source.found) == (2, 1)


def test_a_guessed_encoding_comes_with_samples_and_a_chosen_one_is_sure(session, tmp_path):
    table = tmp_path / "t.csv"
    table.write_bytes("path;class\na.png;Möwe\nb.png;Kühe\n".encode("cp1252"))
    (source,) = preview(session, table)
    assert (source.guessed, source.encoding, source.samples) == (True, "cp1252", ("Möwe", "Kühe"))
    (chosen,) = preview(session, table, choices=ReadChoices(encoding="cp1251"))
    assert (chosen.guessed, chosen.encoding, chosen.samples[0]) == (False, "cp1251", "Mцwe")


def test_an_encoding_that_does_not_fit_is_a_problem_of_the_file(session, tmp_path):
    table = tmp_path / "t.csv"
    table.write_bytes("path;class\na.png;Möwe\n".encode("cp1252"))
    (source,) = preview(session, table, choices=ReadChoices(encoding="utf-8"))
    assert "t.csv" in source.problem
    assert source.encoding == "utf-8"


def test_labels_alone_count_the_images_of_the_project(session, tmp_path):
    folder = write_images(tmp_path / "birds", "owl/1.png", "owl/2.png")
    run_here(import_task(session, [folder], {"category": "folder"}))
    table = tmp_path / "t.csv"
    table.write_text("path,class\nowl/1.png,owl\nnowhere.png,jay\n")
    (source,) = preview(session, table, labels_only=True)
    assert (source.images, source.found) == (2, 1)
    assert suggested(source) == {"class": ""}, "the category has labels"


def test_a_dataset_folder_is_recognised_and_can_be_read_as_class_folders(session, tmp_path):
    folder = write_images(tmp_path / "set", "owl/1.png", "jay/2.png")
    (folder / "metadata.csv").write_text("file_name,sex\nowl/1.png,f\njay/2.png,m\n")
    (source,) = preview(session, folder)
    assert (source.format, source.plain) == ("imagefolder", False)
    assert suggested(source) == {"sex": "sex"}
    assert "folders" in source.formats
    (plain,) = preview(session, folder, choices=ReadChoices(format="folders"))
    assert plain.plain
    assert plain.sets[0].labels == ("jay", "owl")


@pytest.mark.parametrize("name", ["missing.csv", "shopping list.csv"])
def test_what_cannot_be_read_does_not_affect_others(session, tmp_path, name):
    (tmp_path / "shopping list.csv").write_text("milk;butter\n")
    folder = write_images(tmp_path / "birds", "owl/1.png")
    good, bad = preview(session, tmp_path / name, folder)
    assert good.images == 1
    assert name in bad.problem


def test_choices_of_each_file_are_used(session, tmp_path):
    folder = write_images(tmp_path / "birds", "2024/owl/1.png", "2025/jay/2.png")
    choices = ReadChoices(files={folder: ReadChoices(format="folders", levels=("year", ""))})
    outcome = run_here(import_task(session, [folder], choices=choices))
    assert isinstance(outcome, Done)
    assert session.labels.counts("year")["2024"] == 1
    assert not any(n for label, n in session.labels.counts("category").items() if label)


def test_the_label_set_of_boxes_is_named_before_the_import(session, tmp_path):
    write_images(tmp_path, "a.png")
    boxes = {
        "images": [{"id": 1, "file_name": "a.png", "width": 4, "height": 4}],
        "categories": [{"id": 1, "name": "head"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 3, 3]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(boxes))
    (source,) = preview(session, tmp_path / "coco.json")
    (remark,) = [one for one in source.remarks if "of boxes" in one]
    report = run_here(import_task(session, [tmp_path / "coco.json"])).value.report
    assert remark.values["label_set"] in report.new_sets
