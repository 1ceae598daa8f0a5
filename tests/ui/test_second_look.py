"""Second looks and hidden repeats on the Views page: labels are not shown, and stay as they are."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QTimer

from workbench.app.labels.annotators import agreement
from workbench.app.labels.labelling import assign, edit_set
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import Label, LabelSet


@pytest.fixture
def page(window):
    window.go("views")
    return window.page("views")


def as_ann(session, label, images):
    session.set_annotator("Ann")
    assign(session, [int(image) for image in images], "view", label)


def press(page, qtbot, key):
    qtbot.keyClick(page.strip, key)
    page.stage.end_flash()


def views(session):
    ids = session.images.ids()
    return session.store.labels.of_images(ids, "view")


def letters(page):
    ids = page.strip.ids()
    page.tiles.prepare(ids)
    return [image for image in ids.tolist() if page.tiles.badges(image)]


def test_others_are_labelled_unseen_and_keep_their_labels(page, session, qtbot):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:3])
    session.set_annotator("Ben")
    assign(session, [ids[0]], "view", "left")  # seen already
    before = views(session)
    assert letters(page) == ids[:3]
    page.second_look()
    assert page.strip.ids().tolist() == ids[1:3]
    assert page.strip.current() in ids[1:3]
    assert letters(page) == []
    assert page.stage._badges == []
    assert page.header.progress.text() == "Second look: 0 of 2"
    press(page, qtbot, "L")
    press(page, qtbot, "R")
    assert page.header.progress.text() == "Second look: 2 of 2"
    assert views(session) == before
    (row,) = agreement(session, "view").rows
    assert (row.people, row.found.count, row.found.share) == (
        ("Ann", "Ben"),
        3,
        pytest.approx(2 / 3),
    )
    page.second_look()
    assert page.strip.ids().tolist() == ids
    assert letters(page) == ids[:3]
    assert page.header.progress.text() == "3 of 24 labelled"


def test_ones_own_images_are_known_whatever_the_case_of_the_name(page, session, qtbot):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:3])
    session.set_annotator("ANN")
    assign(session, ids[3:4], "view", "left")
    session.set_annotator("Ben")
    assign(session, ids[4:5], "view", "left")
    session.set_annotator("ann")
    page.second_look()
    assert page.strip.ids().tolist() == ids[4:5]


def test_the_next_image_is_one_without_a_label_of_ones_own(page, session, qtbot):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:4])
    session.set_annotator("Ben")
    page.second_look()
    page.strip.set_current(ids[2])
    press(page, qtbot, "F")
    assert page.strip.current() == ids[3]
    press(page, qtbot, "F")
    assert page.strip.current() == ids[0]
    session.undo()
    page.strip.set_current(ids[0])
    press(page, qtbot, "F")
    assert page.strip.current() == ids[1]
    press(page, qtbot, "F")
    assert page.strip.current() == ids[3], "its label was undone"


def test_nothing_is_cleared_or_accepted_unseen(page, session, qtbot):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:2])
    session.set_annotator("Ben")
    page.second_look()
    before = views(session)
    page.clear_label()
    page.accept()
    assert views(session) == before
    assert not page.labelling.accept(ids[:1])


def test_it_ends_with_its_filter_its_set_and_its_person(page, session):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:2])
    look = page.labelling.look

    def begun():
        session.set_annotator("Ben")
        page.second_look()
        return page.labelling.look.active

    assert begun()
    page.bar.clear()
    assert (look.active, letters(page)) == (False, ids[:2])
    assert begun()
    assert page.save_state()["filter"]["ids"] is None
    page.header.sets.setCurrentText("category")
    assert not page.labelling.look.active
    assert page.bar.filter == ImageFilter()
    page.header.sets.setCurrentText("view")
    assert begun()
    session.set_annotator("Cat")
    assert not page.labelling.look.active


def test_it_needs_a_name_an_exclusive_set_and_images(page, session, window):
    page.second_look()
    assert "needs your name" in window.notes.texts()[-1]
    session.set_annotator("Ben")
    page.second_look()
    assert "no images that only others" in window.notes.texts()[-1]
    edit_set(session, LabelSet("traits", (Label("a"),), exclusive=False), {})
    page.header.sets.setCurrentText("traits")
    page.second_look()
    assert "needs your name" in window.notes.texts()[-1]
    assert not page.labelling.look.active


def test_a_repeat_comes_unseen_and_the_queue_goes_on_where_it_was(page, session, qtbot):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:11])
    session.repeat_share = 50
    page.labelling.look._random = random.Random(0)
    page.strip.set_current(ids[11])
    press(page, qtbot, "F")
    assert page.strip.current() == ids[12]
    press(page, qtbot, "F")
    repeat = page.strip.current()
    assert repeat in ids[:11]
    assert repeat not in letters(page)
    assert page.stage._badges == []
    press(page, qtbot, "R")
    assert page.strip.current() == ids[13], "it goes on after the image before the repeat"
    assert views(session)[repeat] == ("left",)
    assert repeat in letters(page)
    (row,) = agreement(session, "view").rows
    assert (row.people, row.found.count, row.found.share) == (("Ann",), 1, 0.0)


def test_a_repeat_that_is_left_shows_its_label_again(page, session, qtbot):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:2])
    session.repeat_share = 50
    page.strip.set_current(ids[2])
    press(page, qtbot, "F")
    press(page, qtbot, "F")
    repeat = page.strip.current()
    assert repeat in ids[:2]
    page.strip.set_current(ids[9])
    assert repeat in letters(page)
    page.strip.set_current(repeat)
    press(page, qtbot, "B")
    assert views(session)[repeat] == ("back",), "now it is an ordinary label"


def test_no_repeats_without_a_share_or_a_name(page, session, qtbot):
    ids = page.strip.ids().tolist()
    as_ann(session, "left", ids[:4])
    page.strip.set_current(ids[4])
    for _ in range(4):
        press(page, qtbot, "F")
    assert page.strip.current() == ids[8]
    session.set_annotator("", 50)
    for _ in range(4):
        press(page, qtbot, "F")
    assert page.strip.current() == ids[12]


def test_the_share_is_chosen_with_the_name(window, qapp):
    def choose():
        dialog = qapp.activeModalWidget()
        assert dialog.repeats.text() == "None"
        dialog.box.setCurrentText("Ann")
        dialog.repeats.setValue(15)
        assert dialog.repeats.text() == "15 %"
        dialog.accept()

    QTimer.singleShot(0, choose)
    window.commands.trigger("annotator")
    assert window.session.repeat_share == window.settings.repeat_share == 15


@pytest.mark.parametrize("by", ["label", "disagreement", "order"])
def test_no_repeat_where_the_list_shows_the_label(page, session, qtbot, by):
    label_set = "category" if by == "order" else "view"
    page.header.sets.setCurrentText(label_set)
    ids = page.strip.ids().tolist()
    session.set_annotator("Ann", 50)
    name = session.labels.get(label_set).names[0]
    assign(session, ids[:12], label_set, name)
    if by == "order":
        page.header.order.setCurrentIndex(page.header.order.findData(Sort.CATEGORY))
    shown = {
        "label": ImageFilter(labels=(("view", name),)),
        "disagreement": ImageFilter(disagreement="view"),
        "order": ImageFilter(),
    }[by]
    page.labelling.list.filter = shown
    assert [page.labelling.repeat_after(one) for one in ids[12:16]] == [None] * 4
    page.labelling.list.filter = ImageFilter(labels=(("expression", "smile"),))
    page.labelling.list.sort = Sort.NAME
    repeats = [page.labelling.repeat_after(one) for one in ids[16:20]]
    assert any(repeats), "they are due again where nothing shows the label"
