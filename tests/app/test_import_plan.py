"""How an import goes through a list file: where it can stop, and what it makes of its lines."""

import pytest

from workbench.app.images.import_plan import LabelOrigins, plan_singles, plan_source
from workbench.app.labels.reading import place_of
from workbench.domain.errors import KnownError
from workbench.domain.formats import Origin


def planned(path, **origins):
    """The plan of a place, and how often the job could have stopped on the way."""
    steps, pauses = plan_source(path, LabelOrigins(origins)), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, pauses
        pauses += 1


@pytest.mark.parametrize(("lines", "more"), [(512, 0), (513, 1), (1024, 1), (1025, 2)])
def test_a_job_can_stop_at_every_512th_line_of_a_list(tmp_path, lines, more):
    file = tmp_path / "list.txt"
    file.write_text("none.jpg 0\n")
    _, least = planned(file)
    file.write_text("".join(f"none{at}.jpg 0\n" for at in range(lines)))
    place, pauses = planned(file)
    assert 0 <= pauses - least - 2 * more <= 1  # reading it, and searching its files
    assert place.files == []
    assert len(place.skipped) == lines


def test_all_that_is_said_of_a_file_comes_with_its_place(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jpg").write_bytes(b"")
    table = tmp_path / "labels.csv"
    table.write_text("path,category\na.jpg,owl\na.jpg,owl\nb.jpg,owl\nb.jpg,swan\nc.jpg,owl\n")
    place, _ = planned(table, category=Origin.TABLE)
    assert {
        one.path: [(record.labels[0].label, place_of(at, record)) for record, at in one.records]
        for one in place.files
    } == {
        "a.jpg": [("owl", "labels.csv, line 2"), ("owl", "labels.csv, line 3")],
        "b.jpg": [("owl", "labels.csv, line 4"), ("swan", "labels.csv, line 5")],
    }
    assert [one.path for one in place.skipped] == ["c.jpg"]
    assert "line 6" in place.skipped[0].reason


def files_of(place):
    """The labels that each file gets, by the project's label sets."""
    return {
        one.path: {
            place.plan.sets[label.set]: label.label
            for record, _ in one.records
            for label in record.labels
            if label.set in place.plan.sets
        }
        for one in place.files
    }


@pytest.fixture
def folder(tmp_path):
    """Images directly in a folder, in a folder of it, and two and three levels deep."""
    for name in ("a.jpg", "owl/b.jpg", "owl/left/c.jpg", "old/owl/right/d.jpg"):
        (tmp_path / "birds" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "birds" / name).write_bytes(b"")
    return tmp_path / "birds"


def test_the_innermost_folders_are_labels_of_the_sets_in_their_order(folder):
    assert files_of(planned(folder, category=Origin.FOLDER, view=Origin.FOLDER)[0]) == {
        "a.jpg": {},
        "owl/b.jpg": {"category": "owl"},
        "owl/left/c.jpg": {"category": "owl", "view": "left"},
        "old/owl/right/d.jpg": {"category": "owl", "view": "right"},
    }
    assert files_of(planned(folder, category=Origin.FOLDER)[0]) == {
        "a.jpg": {},
        "owl/b.jpg": {"category": "owl"},
        "owl/left/c.jpg": {"category": "left"},
        "old/owl/right/d.jpg": {"category": "right"},
    }
    assert set(map(str, files_of(planned(folder)[0]).values())) == {"{}"}


def test_a_folder_without_folders_is_itself_a_label(tmp_path):
    (tmp_path / "owl").mkdir()
    (tmp_path / "owl" / "a.jpg").write_bytes(b"")
    place, _ = planned(tmp_path / "owl", category=Origin.FOLDER)
    assert files_of(place) == {"a.jpg": {"category": "owl"}}
    assert place.plan.sets == {"category": "category"}


def test_a_table_fills_the_sets_that_are_asked_of_it_or_of_nothing(folder):
    table = folder / "t.csv"
    table.write_text("path,category,view\na.jpg,owl,left\n")
    assert files_of(planned(table)[0]) == {"a.jpg": {"category": "owl", "view": "left"}}
    both = planned(table, category=Origin.TABLE, view=Origin.FOLDER)[0]
    assert files_of(both) == {"a.jpg": {"category": "owl"}}
    assert both.plan.remark == ""
    with pytest.raises(KnownError, match="has no column expression"):
        planned(table, expression=Origin.TABLE)


def test_a_table_for_which_a_list_was_expected_remarks_on_what_it_lacks(folder):
    table = folder / "t.tsv"
    table.write_text("path\tview\na.jpg\tleft\n")
    place, _ = planned(table, category=Origin.LIST)
    assert place.plan.remark == "t.tsv has no column category."
    assert files_of(place) == {"a.jpg": {"view": "left"}}
    place, _ = planned(table, view=Origin.LIST)
    assert (place.plan.remark, files_of(place)) == ("", {"a.jpg": {"view": "left"}})


def test_a_list_fills_one_set_and_remarks_on_labels_it_cannot_place(folder):
    listed = folder / "list.txt"
    listed.write_text("a.jpg owl\n")
    one, none = planned(listed, category=Origin.LIST)[0], planned(listed)[0]
    assert (files_of(one), one.plan.remark) == ({"a.jpg": {"category": "owl"}}, "")
    assert files_of(none) == {"a.jpg": {}}
    assert "no label set is imported from the list" in none.plan.remark
    assert planned(listed, category=Origin.TABLE)[0].plan.sets == {}
    listed.write_text("a.jpg\n")
    assert planned(listed)[0].plan.remark == ""
    tabs = folder / "list.tsv"
    tabs.write_text("a.jpg\towl\n")
    assert files_of(planned(tabs, category=Origin.TABLE)[0]) == {"a.jpg": {"category": "owl"}}
    both = planned(tabs, category=Origin.TABLE, view=Origin.TABLE)[0]
    assert (both.plan.sets, "from the list" in both.plan.remark) == ({}, True)


def test_names_in_a_table_are_found_below_its_folder_if_there_is_one_of_that_name(folder):
    (folder / "twin").mkdir()
    (folder / "twin" / "b.jpg").write_bytes(b"")
    table = folder / "t.csv"
    table.write_text("path\nc.jpg\nelsewhere/d.jpg\nb.jpg\ngone.jpg\n")
    place, _ = planned(table)
    assert list(files_of(place)) == ["owl/left/c.jpg"]
    assert [(one.path, one.reason) for one in place.skipped] == [
        ("elsewhere/d.jpg", "the file does not exist (t.csv, line 3)"),
        ("b.jpg", "2 files have this name (t.csv, line 4)"),
        ("gone.jpg", "the file does not exist (t.csv, line 5)"),
    ]
    listed = folder / "list.txt"
    listed.write_text("c.jpg owl\n")
    assert list(files_of(planned(listed)[0])) == ["owl/left/c.jpg"]


def test_single_images_are_taken_and_others_skipped_with_the_reason(folder):
    place = plan_singles(folder, [folder / "a.jpg", folder / "raw.cr2"])
    assert files_of(place) == {"a.jpg": {}}
    (skipped,) = place.skipped
    assert (skipped.path, "CR2" in skipped.reason) == ("raw.cr2", True)
    assert (place.base, place.plan.kind) == (folder, Origin.FOLDER)
    with pytest.raises(KnownError, match="does not exist"):
        planned(folder / "gone")
