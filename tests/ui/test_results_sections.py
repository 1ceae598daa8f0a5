"""Sections and key figures of the Results page by themselves: titles, rows, bounds and keys."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QToolTip

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import TARGET_HEAD, Scope, load_results
from workbench.domain.metrics import ReliabilityBin
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.splits import Part
from workbench.ui.pages.results.confusion import MatrixSection
from workbench.ui.pages.results.header import KeyFigures, ScopeBar
from workbench.ui.pages.results.section import RunInScope, with_count
from workbench.ui.pages.results.tables import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    CalibrationSection,
    ClassesSection,
    ReliabilityView,
    ViewsSection,
)


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def run(session, images):
    """A run with four errors, two of them in the test part, in any scope."""
    make_run(session.store, images, "first", wrong=[4, 5, 6, 15])
    results = load_results(session, "first")

    def shown(**scope):
        head = scope.get("head", TARGET_HEAD)
        return RunInScope(results, Scope(**scope), CurrentLabels(session, results, head))

    return shown


@pytest.fixture
def opened(qtbot, run):
    def made(kind, **scope):
        section, heard = kind(lambda *_: None), []
        qtbot.addWidget(section)
        section.rows_requested.connect(lambda *what: heard.append((what[0], what[1].tolist())))
        section.show_run(run(**{"part": Part.TEST, **scope}))
        return section, heard

    return made


def test_titles_name_run_part_and_view(run):
    assert run(part=Part.TEST).title("classes") == "first classes test"
    assert run(part=None, view="left").title("x") == "first x all left"
    assert not run(part=Part.TEST).several_labels
    assert (with_count("a", 1), with_count("a", 1234)) == ("a: 1 image", "a: 1,234 images")


def test_a_section_without_a_run_is_disabled(opened):
    section, heard = opened(ClassesSection)
    assert section.file_name("classes") == "first classes test"
    section.show_run(None)
    assert not section.isEnabled()
    assert section.file_name("classes") == "classes"
    assert section.copies._data() == ""
    section.table.picked.emit(0)
    assert heard == []


def test_classes_lead_to_the_images_of_their_label(opened):
    section, heard = opened(ClassesSection)
    assert section.table.cells() == [
        ["owl", "100.0 %", "50.0 %", "66.7 %", "6"],
        ["puffin", "62.5 %", "83.3 %", "71.4 %", "6"],
        ["toucan", "85.7 %", "100.0 %", "92.3 %", "6"],
    ]
    assert section.caption.text().replace("\u00a0", " ").startswith("Mean F1 76.8 %")
    section.table.picked.emit(1)
    assert heard == [("True puffin: 6 images", [14, 15, 16, 17, 18, 19])]


def test_views_lead_to_their_errors(opened):
    section, heard = opened(ViewsSection)
    rows = {row[0]: row[1:] for row in section.table.cells()}
    assert sum(int(count) for _, count in rows.values()) == 18
    at = [row[0] for row in section.table.cells()].index("front")
    section.table.picked.emit(at)
    assert heard == [("Errors in view front: 1 image", [4])]
    assert section.caption.text().startswith("Click a row")


def test_bars_lead_to_the_images_of_their_confidence(opened):
    section, heard = opened(CalibrationSection)
    section.view.chosen.emit(7)
    section.view.chosen.emit(1)
    counts = [bin_.images for bin_ in section.view._bins]
    assert [title for title, _ in heard] == [
        f"Confidence 70–80 %: {counts[7]} images",
        f"Confidence 10–20 %: {counts[1]} images",
    ]


def test_matrix_cells_rows_and_columns_lead_to_images(opened):
    section, heard = opened(MatrixSection)
    for cell in ((0, 1), (1, -1), (-1, 0)):
        section.view.chosen.emit(*cell)
    assert [title for title, _ in heard] == [
        "True owl, predicted puffin: 3 images",
        "True puffin: 6 images",
        "Predicted owl: 3 images",
    ]
    assert [rows for _, rows in heard][::2] == [[4, 5, 6], [7, 8, 9]]
    assert section.caption.text() == "Click a cell to see its images."
    section.view.pointed.emit("a cell")
    assert section.caption.text() == "a cell"
    section.values.setCurrentIndex(1)
    assert section.view._options.percent
    section.single.click()
    assert section.view._options.single_scale
    section.values.setCurrentIndex(0)
    assert not section.view._options.percent
    assert section.file_name("confusion") == "first confusion test"
    assert section.note.isHidden()


def test_relabelled_images_of_the_matrix_are_shown(session, images, opened, run):
    with session.edit("Label"):
        session.store.labels.assign([images[at] for at in (0, 4, 15)], "category", "toucan")
    section, heard = opened(MatrixSection)
    assert "2 of these images have been relabelled" in section.note.text()
    section.note.linkActivated.emit("relabelled")
    assert heard == [("Relabelled since training: 2 images", [4, 15])]


def test_tools_zoom_and_fit_the_matrix(opened):
    section, _ = opened(MatrixSection)
    section.resize(500, 260)
    section.show()
    smaller, larger, fit = (section.bar.itemAt(at).widget() for at in (3, 4, 5))
    before = section.view.cell_rect(0, 0).height()
    larger.click()
    assert section.view.cell_rect(0, 0).height() == min(96, round(before * 1.3))
    larger.click()
    smaller.click()
    assert section.view.cell_rect(0, 0).height() < 96
    fit.click()
    assert section.view.cell_rect(0, 0).height() == before


def test_key_figures_lead_to_images(qtbot, run):
    figures, heard = KeyFigures(), []
    qtbot.addWidget(figures)
    figures.rows_requested.connect(lambda *what: heard.append((what[0], what[1].tolist())))
    figures.show_run(run(part=Part.TEST))
    texts = [widget.text() for widget in (figures.top1, figures.top5, figures.errors)]
    assert [text.replace("\u00a0", " ") for text in texts] == ["77.8 %", "top-1", "4 wrong"]
    assert figures.images.text() == "18 images"
    figures.errors.click()
    assert heard == [("Wrong: 4 images", [4, 5, 6, 15])]
    figures.images.click()
    assert (heard[1][0], len(heard[1][1])) == ("All: 18 images", 18)
    figures.show_run(run(part=Part.TRAIN))
    assert figures.errors.text() == "0 wrong"
    assert not figures.errors.isEnabled()
    assert figures.images.isEnabled()
    figures.show_run(run(part=Part.VALIDATION))
    assert not figures.images.isEnabled()
    figures.show_run(None)
    assert figures.isHidden()


def test_the_scope_is_kept_where_the_run_has_it(qtbot, run):
    bar = ScopeBar()
    qtbot.addWidget(bar)
    assert bar.scope() == Scope(Part.TEST, "", TARGET_HEAD)
    results = run(part=Part.TEST).results
    bar.show_results(results)
    assert bar.scope() == Scope(Part.TEST, "", TARGET_HEAD)
    assert [bar.part.itemData(at) for at in range(bar.part.count())] == ["test", "train"]
    bar.select("train", "left", "gone")
    bar.show_results(results)
    assert bar.scope() == Scope(Part.TRAIN, "left", TARGET_HEAD)
    assert bar.head.isHidden()
    assert not bar.view.isHidden()


BINS = (
    ReliabilityBin(0.0, 0.5, 0.0, 0.0, 0),
    ReliabilityBin(0.5, 0.75, 0.6, 1.0, 1),
    ReliabilityBin(0.75, 1.0, 0.875, 0.5, 4),
)


@pytest.fixture
def view(qtbot):
    made = ReliabilityView()
    qtbot.addWidget(made)
    made.resize(LEFT + RIGHT + 120, TOP + BOTTOM + 160)
    made.set_bins(BINS)
    made.show()
    return made


def press(view, key):
    event = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier)
    view.keyPressEvent(event)
    return event.isAccepted()


def test_bars_are_described(view):
    assert [view.sentence(at) for at in range(3)] == [
        "No images with a confidence of 0–50 %",
        "1 image: confidence 60.0 %, accuracy 100.0 %",
        "4 images: confidence 87.5 %, accuracy 50.0 %",
    ]


def test_bars_share_the_width_of_the_square(view):
    top, bottom = TOP, TOP + 120
    for x, y, at in (
        (0, 0, 0),
        (39, 5, 0),
        (41, 5, 1),
        (81, 119, 2),
        (-1, 5, -1),
        (121, 5, -1),
        (5, -1, -1),
        (5, 121, -1),
    ):
        assert view._at(QPointF(LEFT + x, top + y)) == at
    assert bottom == view._area().bottom()


def test_keys_choose_the_next_bar_and_stay_inside(view):
    chosen = []
    view.chosen.connect(chosen.append)
    for key in (Qt.Key.Key_Left, *[Qt.Key.Key_Right] * 3, Qt.Key.Key_Left):
        assert press(view, key)
    assert chosen == [0, 1, 2, 2, 1]
    assert not press(view, Qt.Key.Key_Up)
    view.set_bins(())
    assert not press(view, Qt.Key.Key_Right)
    view.set_bins(BINS)
    press(view, Qt.Key.Key_Right)
    assert chosen[-1] == 0


def test_the_pointer_and_the_chosen_bar_are_framed(qtbot, view):
    def picture():
        return view.grab().toImage()

    plain = picture()
    qtbot.mouseMove(view, QPointF(LEFT + 100, TOP + 100).toPoint())
    assert picture() != plain
    assert QToolTip.text() == view.sentence(2)
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert picture() == plain
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=QPointF(LEFT + 100, TOP + 9).toPoint())
    assert view._current == -1
    press(view, Qt.Key.Key_Right)
    press(view, Qt.Key.Key_Right)
    assert picture() != plain


def test_a_label_without_images_has_dashes_and_a_word(qtbot, session, images):
    make_run(session.store, images, "first")
    with closing(sqlite3.connect(session.folder / DATABASE_FILE)) as db, db:
        db.execute("DELETE FROM prediction WHERE part = 2 AND truth = 2")
    results = load_results(session, "first")
    section = ClassesSection(lambda *_: None)
    qtbot.addWidget(section)
    scope = Scope(Part.TEST)
    section.show_run(RunInScope(results, scope, CurrentLabels(session, results, TARGET_HEAD)))
    assert section.table.cells()[2] == ["toucan", "–", "–", "–", "0"]
    assert section.caption.text().endswith("1 label has no images here; its recall is undefined.")
