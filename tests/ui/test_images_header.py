"""The header of the Images page: counts, order, label sets, thumbnail size, skipped files."""

from __future__ import annotations

import pytest

from tests.fixtures.finished_runs import fill
from workbench.app.labels.labelling import edit_set
from workbench.domain.images import Sort
from workbench.domain.labels import Label, LabelSet
from workbench.ui.pages.images.header import ImagesHeader


@pytest.fixture
def header(qtbot, session, tmp_path):
    fill(session.store, tmp_path / "photos")
    made = ImagesHeader("Images", session)
    qtbot.addWidget(made)
    return made


def test_counts_name_the_selected_only_if_there_are_several(header):
    texts = []
    for counts in ((3, 30, 0), (3, 30, 1), (3, 30, 2), (1, 1, 0), (0, 0, 0)):
        header.show_counts(*counts)
        texts.append(header.counts.text())
    assert texts == [
        "3 of 30 images",
        "3 of 30 images",
        "3 of 30 images · 2 selected",
        "1 of 1 image",
        "",
    ]


def test_the_order_is_reported_unless_it_is_set_by_the_page(header):
    heard = []
    header.sort_changed.connect(lambda: heard.append((header.sort, header.descending)))
    assert (header.sort, header.descending) == (Sort.NAME, False)
    header.order.setCurrentIndex(2)
    header.reverse.click()
    assert heard == [(Sort.CATEGORY, False), (Sort.CATEGORY, True)]
    header.set_sort(Sort.ADDED, False)
    assert (header.sort, header.descending) == (Sort.ADDED, False)
    assert len(heard) == 2
    up = header.reverse.icon().pixmap(20, 20).toImage()
    header.set_sort(Sort.ADDED, True)
    assert header.reverse.icon().pixmap(20, 20).toImage() != up
    header.reverse.click()
    assert header.reverse.icon().pixmap(20, 20).toImage() == up
    assert len(heard) == 3


def test_sets_of_images_alone_are_listed_and_the_chosen_one_stays(header, session):
    names = [header.sets.itemText(at) for at in range(header.sets.count())]
    assert (sorted(names), header.label_set) == (["category", "view"], "view")
    heard = []
    header.set_changed.connect(heard.append)
    header.sets.setCurrentText("category")
    edit_set(session, LabelSet("colour", (Label("red"),)), {})
    header.fill_sets()
    assert header.label_set == "category"
    assert header.sets.findText("colour") >= 0
    assert heard == ["category"]


def test_a_saved_state_is_restored_where_it_is_valid(header):
    header.restore({"sort": "category", "descending": True, "size": 99, "set": "category"})
    assert (header.sort, header.descending) == (Sort.CATEGORY, True)
    assert (header.slider.value(), header.label_set) == (99, "category")
    header.restore({"sort": "unknown", "size": "x", "set": "unknown"})
    assert (header.sort, header.descending) == (Sort.CATEGORY, True)
    assert (header.slider.value(), header.label_set) == (99, "category")


def test_skipped_files_have_a_button_only_if_there_are_some(header):
    header.show_skipped()
    assert header.skipped.isHidden()
    assert header.skipped.text() == "0 skipped files"
