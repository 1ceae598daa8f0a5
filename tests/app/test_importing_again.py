"""Labels whose names differ in case alone: what an import gave stays when it is done again."""

import os
import shutil
import time
import unicodedata

import pytest
from PIL import Image

from tests.fixtures.imports import export_labels, import_labels
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.labels.labelling import edit_set
from workbench.app.session import Session
from workbench.domain.labels import Label, LabelSet
from workbench.storage.project import Project

CLASSES = ("owl", "Owl", "OWL", "Straße", "STRASSE", "duck")
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "hérisson") for form in ("NFC", "NFD"))


def draw(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), (shade, 255 - shade, 90)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder for each of CLASSES, with one image of the same number."""
    root = tmp_path / "birds"
    for i, name in enumerate(CLASSES):
        draw(root / name / f"{i}.png", i)
    if len(list(root.iterdir())) < len(CLASSES):
        pytest.skip("this file system ignores case")
    return root


def taken(session, place, **origins):
    outcome = run_here(import_task(session, [place], origins or {"category": "folder"}))
    assert isinstance(outcome, Done), outcome
    return outcome.value


def labels(session, label_set="category"):
    """The labels of every image by the number in its name."""
    rows = session.store.images.rows(session.store.images.ids())
    given = session.store.labels.of_images([row.id for row in rows], label_set)
    return {int(row.name.split(".")[0]): "+".join(given.get(row.id, ())) for row in rows}


def named(*names):
    return dict(enumerate(names))


def add_label(session, name):
    session.store.labels.save_set(session.store.labels.get("category").with_labels((name,)))


def test_a_folder_imported_again_changes_no_label(session, folder):
    taken(session, folder)
    assert labels(session) == named(*CLASSES)
    before, edits = session.store.labels.current(), session.store.labels.get("category")
    again = taken(session, folder)
    assert (again.added, again.known) == (0, len(CLASSES))
    assert labels(session) == named(*CLASSES)
    assert (session.store.labels.current(), session.store.labels.get("category")) == (
        before,
        edits,
    )


def test_an_import_that_changes_nothing_leaves_undo_to_the_first(session, folder):
    taken(session, folder)
    taken(session, folder)
    session.undo()
    assert session.store.images.count() == 0
    session.redo()
    assert labels(session) == named(*CLASSES)
    taken(session, folder)
    assert labels(session) == named(*CLASSES)


def test_new_files_get_the_label_written_as_their_folder(session, folder):
    taken(session, folder)
    draw(folder / "owl" / "6.png", 60)
    draw(folder / "STRASSE" / "7.png", 70)
    taken(session, folder)
    assert labels(session) == named(*CLASSES, "owl", "STRASSE")


def test_an_image_moved_to_the_other_spelling_follows_its_folder(session, folder):
    taken(session, folder)
    (folder / "Owl" / "1.png").rename(folder / "owl" / "1.png")
    taken(session, folder)
    assert labels(session) == named("owl", "owl", *CLASSES[2:])


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_table_imported_again_changes_no_label(session, tmp_path, suffix):
    rows = [f"{draw(tmp_path / f'{i}.png', i).name},{name}" for i, name in enumerate(CLASSES)]
    table = tmp_path / f"t.{suffix}"
    table.write_text("\n".join(["path,category", *rows]).replace(",", "\t"), "utf-8")
    for _ in range(3):
        taken(session, table, category="csv")
        assert labels(session) == named(*CLASSES)


def test_a_corrected_table_moves_a_label_to_the_other_spelling(session, tmp_path):
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    table = tmp_path / "t.csv"
    table.write_text("path,category\n0.png,owl\n1.png,Owl\n")
    taken(session, table, category="csv")
    table.write_text("path,category\n0.png,Owl\n1.png,Owl\n")
    taken(session, table, category="csv")
    assert labels(session) == named("Owl", "Owl")


def test_a_list_file_imported_again_changes_no_label(session, tmp_path):
    rows = [f"{draw(tmp_path / f'{i}.png', i).name} {name}" for i, name in enumerate(CLASSES)]
    (tmp_path / "list.txt").write_text("\n".join(rows), "utf-8")
    for _ in range(3):
        taken(session, tmp_path / "list.txt", category="list")
        assert labels(session) == named(*CLASSES)


def test_another_spelling_is_a_new_label_and_is_reported(session, folder):
    add_label(session, "Duck")
    result = taken(session, folder)
    assert labels(session) == named(*CLASSES)
    alike = {one.label: one.like for one in result.report.new_labels if one.like}
    assert alike["duck"] == "Duck"
    assert taken(session, folder).report.new_labels == ()
    assert labels(session) == named(*CLASSES)


def test_two_other_spellings_mean_neither(session, tmp_path):
    add_label(session, "OWL")
    add_label(session, "Owl")
    draw(tmp_path / "birds" / "owl" / "0.png", 1)
    for _ in range(2):
        taken(session, tmp_path / "birds")
        assert labels(session) == named("owl")


@pytest.mark.parametrize(("name", "origin"), [("list.txt", "list"), ("t.csv", "csv")])
def test_a_label_that_was_renamed_stays_until_the_list_is_saved_again(
    session, tmp_path, name, origin
):
    file = draw(tmp_path / "0.png", 1).name
    listed = tmp_path / name
    listed.write_text(f"{file} owl" if origin == "list" else f"path,category\n{file},owl\n")
    before = time.time() - 60
    os.utime(listed, (before, before))
    taken(session, listed, category=origin)
    edit_set(session, LabelSet("category", (Label("Owl"),)), {"owl": "Owl"})
    for _ in range(2):
        taken(session, listed, category=origin)
        assert labels(session) == named("Owl")
    os.utime(listed, (before + 120, before + 120))  # saved again: it may have been corrected
    result = taken(session, listed, category=origin)
    assert labels(session) == named("owl")
    assert [(one.label, one.like) for one in result.report.new_labels] == [("owl", "Owl")]


def test_images_whose_label_was_respelt_keep_it(session, folder):
    taken(session, folder)
    former = session.store.labels.get("category").names
    names = ["oWl" if name == "owl" else name for name in former]
    respelt = LabelSet("category", tuple(map(Label, names)))
    edit_set(session, respelt, {"owl": "oWl"})
    taken(session, folder)
    assert labels(session) == named("oWl", *CLASSES[1:])


def test_one_image_in_folders_of_both_spellings_keeps_its_label(session, folder):
    shutil.copy(folder / "owl" / "0.png", folder / "Owl" / "0.png")
    taken(session, folder)
    before = session.store.labels.current()
    taken(session, folder)
    assert session.store.labels.current() == before


@pytest.mark.parametrize("there", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
def test_both_unicode_forms_are_one_name(session, tmp_path, there, written):
    add_label(session, there)
    draw(tmp_path / "set" / written / "0.png", 1)
    (tmp_path / "l.csv").write_text(f"path,set,label\n0.png,category,{written}\n", "utf-8")
    for _ in range(2):
        taken(session, tmp_path / "set")
        import_labels(session, tmp_path / "l.csv")
        assert labels(session) == named(there)
    assert session.store.labels.get("category").names == (there,)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json"])
def test_labels_and_sets_come_back_as_they_are_spelt(session, folder, tmp_path, suffix):
    taken(session, folder)
    for label_set in ("traits", "Traits", "View"):
        labels_of = (Label("left"), Label("Left"), Label(" left "))  # as earlier versions allowed
        session.store.labels.save_set(LabelSet(label_set, labels_of))
        for image, label in enumerate(("left", "Left", " left "), start=1):
            session.store.labels.assign([image], label_set, label)
    before = session.store.labels.current()
    file = tmp_path / f"labels.{suffix}"
    export_labels(session, file)
    sets = session.store.labels.sets()
    for _ in range(2):
        result = import_labels(session, file)
        assert (result.labelled, result.equal, result.kept) == (0, result.rows, 0)
        assert session.store.labels.current() == before
        assert session.store.labels.sets() == sets


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json"])
def test_another_project_gets_every_spelling(session, folder, tmp_path, suffix):
    taken(session, folder)
    for label_set in ("view", "View"):
        edit_set(session, LabelSet(label_set, (Label("left"), Label("Left"))), {})
        session.store.labels.assign([1], label_set, "left")
        session.store.labels.assign([2], label_set, "Left")
    export_labels(session, tmp_path / f"labels.{suffix}")
    other = Session(Project.create(tmp_path / "Other"))
    try:
        run_here(import_task(other, [folder]))
        for _ in range(2):
            import_labels(other, tmp_path / f"labels.{suffix}")
            for label_set in ("category", "view", "View"):
                assert labels(other, label_set) == labels(session, label_set)
        other.undo()
        assert other.store.labels.current() == []
        assert "View" not in other.store.labels.sets()
    finally:
        other.close()


def test_a_label_file_is_followed_to_the_letter(session, folder, tmp_path):
    (tmp_path / "l.csv").write_text("path,set,label\n0.png,pose,Perched\n1.png,pose,flying\n")
    taken(session, folder)
    import_labels(session, tmp_path / "l.csv")
    respelt = LabelSet("pose", (Label("perched"), Label("flying")))
    edit_set(session, respelt, {"Perched": "perched"})
    result = import_labels(session, tmp_path / "l.csv")
    assert (result.labelled, len(result.changed), result.equal, result.kept) == (0, 1, 1, 0)
    assert [(one.label, one.like) for one in result.new_labels] == [("Perched", "perched")]


def test_a_label_file_that_reports_spellings_apart_keeps_them_apart(session, folder, tmp_path):
    taken(session, folder)
    edit_set(session, LabelSet("pose", (Label("perched"),)), {})
    (tmp_path / "l.csv").write_text("path,set,label\n0.png,pose,perched\n1.png,pose,Perched\n")
    for _ in range(2):
        import_labels(session, tmp_path / "l.csv")
        assert {k: v for k, v in labels(session, "pose").items() if v} == named(
            "perched", "Perched"
        )


def test_a_file_that_was_moved_is_known_and_its_copy_a_duplicate(session, tmp_path):
    root = tmp_path / "birds"
    root.mkdir()
    Image.new("RGB", (32, 24), (9, 8, 7)).save(root / "1.png")
    Image.new("RGB", (32, 24), (9, 8, 70)).save(root / "2.png")
    assert isinstance(run_here(import_task(session, [root])), Done)
    (root / "new").mkdir()
    (root / "1.png").rename(root / "new" / "1.png")
    shutil.copy(root / "2.png", root / "new" / "2.png")
    outcome = run_here(import_task(session, [root]))
    assert isinstance(outcome, Done)
    found = outcome.value
    assert (found.added, found.known, found.duplicates) == (0, 2, 1)
