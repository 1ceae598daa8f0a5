"""Labels whose names differ in case alone: what an import gave stays when it is done again."""

import shutil
import unicodedata

import pytest
from PIL import Image

from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.labels.label_files import export_labels, import_labels
from workbench.app.labels.labelling import edit_set
from workbench.app.session import OpenProject
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


def taken(op, place, **origins):
    outcome = run_here(import_task(op, [place], **origins or {"category_from": "folder"}))
    assert isinstance(outcome, Done), outcome
    return outcome.value


def labels(op, label_set="category"):
    """The labels of every image by the number in its name."""
    rows = op.store.images.rows(op.store.images.ids())
    given = op.store.labels.all_of_images([row.id for row in rows], label_set)
    return {int(row.name.split(".")[0]): "+".join(given.get(row.id, ())) for row in rows}


def named(*names):
    return dict(enumerate(names))


def add_label(op, name):
    edit_set(op, op.store.labels.get("category").with_labels((name,)), {})


def test_a_folder_imported_again_changes_no_label(op, folder):
    taken(op, folder)
    assert labels(op) == named(*CLASSES)
    before, edits = op.store.labels.standing(), op.store.labels.get("category")
    again = taken(op, folder)
    assert (again.added, again.known) == (0, len(CLASSES))
    assert labels(op) == named(*CLASSES)
    assert (op.store.labels.standing(), op.store.labels.get("category")) == (before, edits)


def test_an_import_that_changes_nothing_leaves_undo_to_the_first(op, folder):
    taken(op, folder)
    taken(op, folder)
    op.undo()
    assert op.store.images.count() == 0
    op.redo()
    assert labels(op) == named(*CLASSES)
    taken(op, folder)
    assert labels(op) == named(*CLASSES)


def test_new_files_get_the_label_written_as_their_folder(op, folder):
    taken(op, folder)
    draw(folder / "owl" / "6.png", 60)
    draw(folder / "STRASSE" / "7.png", 70)
    taken(op, folder)
    assert labels(op) == named(*CLASSES, "owl", "STRASSE")


def test_an_image_moved_to_the_other_spelling_follows_its_folder(op, folder):
    taken(op, folder)
    (folder / "Owl" / "1.png").rename(folder / "owl" / "1.png")
    taken(op, folder)
    assert labels(op) == named("owl", "owl", *CLASSES[2:])


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_table_imported_again_changes_no_label(op, tmp_path, suffix):
    rows = [f"{draw(tmp_path / f'{i}.png', i).name},{name}" for i, name in enumerate(CLASSES)]
    table = tmp_path / f"t.{suffix}"
    table.write_text("\n".join(["path,category", *rows]).replace(",", "\t"), "utf-8")
    for _ in range(3):
        taken(op, table, category_from="csv")
        assert labels(op) == named(*CLASSES)


def test_a_corrected_table_moves_a_label_to_the_other_spelling(op, tmp_path):
    for i in range(2):
        draw(tmp_path / f"{i}.png", i)
    table = tmp_path / "t.csv"
    table.write_text("path,category\n0.png,owl\n1.png,Owl\n")
    taken(op, table, category_from="csv")
    table.write_text("path,category\n0.png,Owl\n1.png,Owl\n")
    taken(op, table, category_from="csv")
    assert labels(op) == named("Owl", "Owl")


def test_a_list_file_imported_again_changes_no_label(op, tmp_path):
    rows = [f"{draw(tmp_path / f'{i}.png', i).name} {name}" for i, name in enumerate(CLASSES)]
    (tmp_path / "list.txt").write_text("\n".join(rows), "utf-8")
    for _ in range(3):
        taken(op, tmp_path / "list.txt", category_from="list")
        assert labels(op) == named(*CLASSES)


def test_one_other_spelling_means_the_label_there_is(op, folder):
    add_label(op, "Duck")
    for _ in range(2):
        taken(op, folder)
        assert labels(op) == named(*CLASSES[:-1], "Duck")


def test_two_other_spellings_mean_neither(op, tmp_path):
    add_label(op, "OWL")
    add_label(op, "Owl")
    draw(tmp_path / "birds" / "owl" / "0.png", 1)
    for _ in range(2):
        taken(op, tmp_path / "birds")
        assert labels(op) == named("owl")


def test_a_spelling_added_later_moves_no_image_of_a_folder(op, tmp_path):
    add_label(op, "Owl")
    draw(tmp_path / "birds" / "owl" / "0.png", 1)
    taken(op, tmp_path / "birds")
    assert labels(op) == named("Owl")
    add_label(op, "owl")
    draw(tmp_path / "birds" / "owl" / "1.png", 2)
    for _ in range(2):
        taken(op, tmp_path / "birds")
        assert labels(op) == named("Owl", "owl")


def test_images_whose_label_was_respelt_keep_it(op, folder):
    taken(op, folder)
    former = op.store.labels.get("category").names
    names = ["oWl" if name == "owl" else name for name in former]
    respelt = LabelSet("category", tuple(map(Label, names)))
    edit_set(op, respelt, {"owl": "oWl"})
    taken(op, folder)
    assert labels(op) == named("oWl", *CLASSES[1:])


def test_one_image_in_folders_of_both_spellings_keeps_its_label(op, folder):
    shutil.copy(folder / "owl" / "0.png", folder / "Owl" / "0.png")
    taken(op, folder)
    before = op.store.labels.standing()
    taken(op, folder)
    assert op.store.labels.standing() == before


def test_a_set_whose_labels_go_together_gets_no_second_spelling(op, tmp_path):
    edit_set(op, LabelSet("category", (Label("Owl"),), exclusive=False), {})
    draw(tmp_path / "birds" / "owl" / "0.png", 1)
    taken(op, tmp_path / "birds")
    add_label(op, "owl")
    taken(op, tmp_path / "birds")
    assert labels(op) == named("Owl")


@pytest.mark.parametrize("there", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
def test_both_unicode_forms_are_one_name(op, tmp_path, there, written):
    add_label(op, there)
    draw(tmp_path / "set" / written / "0.png", 1)
    (tmp_path / "l.csv").write_text(f"path,set,label\n0.png,category,{written}\n", "utf-8")
    for _ in range(2):
        taken(op, tmp_path / "set")
        import_labels(op, tmp_path / "l.csv")
        assert labels(op) == named(there)
    assert op.store.labels.get("category").names == (there,)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_labels_and_sets_come_back_as_they_are_spelt(op, folder, tmp_path, suffix):
    taken(op, folder)
    for label_set in ("traits", "Traits", "View"):
        edit_set(op, LabelSet(label_set, (Label("left"), Label("Left"), Label(" left "))), {})
        for image, label in enumerate(("left", "Left", " left "), start=1):
            op.store.labels.assign([image], label_set, label)
    before = op.store.labels.standing()
    file = tmp_path / f"labels.{suffix}"
    export_labels(op, file)
    sets = op.store.labels.sets()
    for _ in range(2):
        result = import_labels(op, file)
        assert (result.labelled, result.kept) == (result.rows, 0)
        assert op.store.labels.standing() == before
        assert op.store.labels.sets() == sets


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_another_project_gets_every_spelling(op, folder, tmp_path, suffix):
    taken(op, folder)
    for label_set in ("view", "View"):
        edit_set(op, LabelSet(label_set, (Label("left"), Label("Left"))), {})
        op.store.labels.assign([1], label_set, "left")
        op.store.labels.assign([2], label_set, "Left")
    export_labels(op, tmp_path / f"labels.{suffix}")
    other = OpenProject(Project.create(tmp_path / "Other"))
    try:
        run_here(import_task(other, [folder]))
        for _ in range(2):
            import_labels(other, tmp_path / f"labels.{suffix}")
            for label_set in ("category", "view", "View"):
                assert labels(other, label_set) == labels(op, label_set)
        other.undo()
        assert other.store.labels.standing() == []
        assert "View" not in other.store.labels.sets()
    finally:
        other.close()


def test_a_label_file_follows_a_label_that_was_respelt(op, folder, tmp_path):
    (tmp_path / "l.csv").write_text("path,set,label\n0.png,pose,Perched\n1.png,pose,flying\n")
    taken(op, folder)
    import_labels(op, tmp_path / "l.csv")
    respelt = LabelSet("pose", (Label("perched"), Label("flying")))
    edit_set(op, respelt, {"Perched": "perched"})
    before = op.store.labels.standing()
    result = import_labels(op, tmp_path / "l.csv")
    assert (result.labelled, result.kept) == (2, 0)
    assert op.store.labels.standing() == before
    assert op.store.labels.get("pose") == respelt


def test_a_label_file_that_tells_spellings_apart_keeps_them_apart(op, folder, tmp_path):
    taken(op, folder)
    edit_set(op, LabelSet("pose", (Label("perched"),)), {})
    (tmp_path / "l.csv").write_text("path,set,label\n0.png,pose,perched\n1.png,pose,Perched\n")
    for _ in range(2):
        import_labels(op, tmp_path / "l.csv")
        assert {k: v for k, v in labels(op, "pose").items() if v} == named("perched", "Perched")
