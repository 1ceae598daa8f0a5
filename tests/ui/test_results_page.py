"""The Results page on a real project: every number leads to images, which are relabelled there."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox

from tests.fixtures.finished_runs import fill, make_run
from tests.fixtures.page_host import PageHost
from workbench.app.results.results import LABEL_HEAD, RunResults
from workbench.app.results.run_comparison import PairOutcome
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.domain.metrics import reliability
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import JOINT
from workbench.domain.runs import LabelList, RunLabels, RunStatus
from workbench.domain.studies import Study, parse_plan
from workbench.domain.text import use_language
from workbench.storage.project import Project
from workbench.ui.pages.results.page import ResultsPage
from workbench.ui.pages.results.section import label_names
from workbench.ui.pages.results.tables import BOTTOM, LEFT, RIGHT, TOP, ReliabilityView


@pytest.fixture
def session(tmp_path, qapp):
    opened = Session(Project.create(tmp_path / "birds"))
    yield opened
    opened.close()


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def window(session):
    made = PageHost(session)
    yield made
    made.close()


@pytest.fixture
def page(qtbot, session, images, window):
    make_run(session.store, images, "first", wrong=[4, 14, 15, 24])
    make_run(session.store, images, "second", wrong=[4, 5])
    made = ResultsPage(window.context)
    qtbot.addWidget(made)
    session.changed.connect(made.refresh)
    made.resize(1216, 640)
    made.opened()
    made.show()
    qtbot.waitExposed(made)
    made.table.select_run("first")
    yield made
    made.closing()


def click_cell(qtbot, page, truth, predicted):
    view = page.matrix.view
    at = view.cell_rect(truth, predicted).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)


def shown_images(page):
    return page.shown().results.table.images[page.images.rows()].tolist()


def test_the_newest_finished_run_is_shown_first(qtbot, session, images, window):
    make_run(session.store, images, "old")
    make_run(session.store, images, "new", wrong=[5])
    make_run(session.store, images, "broken", status="failed")
    made = ResultsPage(window.context)
    qtbot.addWidget(made)
    made.opened()
    assert made.table.current_run() == "new"
    assert made.figures.errors.text() == "1 wrong"
    made.show_run("broken")
    assert made.reason.text() == "Failed. The memory of the device is full."
    made.closing()


def test_a_cell_leads_to_its_images(qtbot, page, images):
    click_cell(qtbot, page, 1, 2)
    assert sorted(shown_images(page)) == [images[14], images[15]]
    assert page.images.title.text() == "True puffin, predicted toucan: 2 images"


def test_relabelling_by_key_is_saved_marked_and_undone(qtbot, session, page, images):
    click_cell(qtbot, page, 1, 2)
    grid = page.images.grid
    grid.setFocus()
    first = int(page.shown().results.table.images[grid.current()])
    qtbot.keyClick(grid, Qt.Key.Key_3)  # toucan
    assert session.store.labels.of_images([first], "category") == {first: ("toucan",)}
    assert session.store.labels.history(first)[-1].author == "human"
    assert grid.current() != page.images.rows()[0], "on to the next image"
    assert page.matrix.view.sentence(1, 2).endswith("1 relabelled since")
    assert "1 of these images has been relabelled since" in page.matrix.note.text()
    assert page.shown().results.matrix(page.shown().scope)[1, 2] == 2, "measured as at training"
    badges = [page.images.tiles.badges(int(row)) for row in page.images.rows()]
    assert sorted(len(each) for each in badges) == [0, 1]
    page.images.undo_button.click()
    assert session.store.labels.of_images([first], "category") == {first: ("puffin",)}
    assert page.matrix.note.isHidden()


def test_several_images_are_relabelled_at_once_and_undone_at_once(qtbot, session, page, images):
    click_cell(qtbot, page, 1, 2)
    page.images.grid.select_all()
    page.images.label.activated.emit(1)  # the first label of the list: owl
    both = [images[14], images[15]]
    assert session.store.labels.of_images(both, "category") == dict.fromkeys(both, ("owl",))
    session.undo()
    assert session.store.labels.of_images(both, "category") == dict.fromkeys(both, ("puffin",))


def test_images_of_a_cell_are_explained(qtbot, page, images, window):
    click_cell(qtbot, page, 1, 2)
    page.images.explain_button.click()
    went, what = window.went[-1]
    assert (went, what["run"]) == ("explain", "first")
    assert sorted(what["ids"]) == [images[14], images[15]]


def test_every_summary_leads_to_images(qtbot, page):
    page.figures.errors.click()
    assert len(page.images.rows()) == 4
    page.figures.images.click()
    assert len(page.images.rows()) == 18
    page.classes.table.picked.emit(0)
    assert len(page.images.rows()) == 6
    page.views.table.picked.emit(0)
    assert page.images.title.text().startswith("Errors in view")
    at = next(
        i for i, b in enumerate(page.shown().results.reliability(page.shown().scope)) if b.images
    )
    page.calibration.view.chosen.emit(at)
    assert len(page.images.rows()) == 18


@pytest.mark.parametrize(("width", "height"), [(260, 400), (500, 260)])
def test_a_bar_of_the_reliability_diagram_is_chosen_by_mouse_and_keys(qtbot, width, height):
    view = ReliabilityView()
    qtbot.addWidget(view)
    view.resize(width, height)
    view.set_bins(reliability(np.linspace(0, 1, 50), np.ones(50, bool)))
    chosen = []
    view.chosen.connect(chosen.append)
    side = min(width - LEFT - RIGHT, height - TOP - BOTTOM)  # the diagram is square
    for share in (0.05, 0.55, 0.95):
        at = QPoint(LEFT + int(share * side), TOP + side - 5)
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=at)
    assert chosen == [0, 5, 9]
    for outside in (QPoint(LEFT - 5, TOP + 5), QPoint(LEFT + side + 5, TOP + 5)):
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=outside)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Left):
        qtbot.keyClick(view, key)
    assert chosen == [0, 5, 9, 9, 8]


def test_the_part_and_the_view_narrow_everything(page):
    bar = page.scope
    bar.part.setCurrentIndex(bar.part.findData("train"))
    bar.changed.emit()
    assert page.matrix.shown.results.matrix(page.matrix.shown.scope).sum() == 12
    bar.view.setCurrentIndex(bar.view.findData("left"))
    bar.changed.emit()
    assert page.figures.images.text() == "3 images"


def test_two_runs_are_compared_image_by_image(page, images):
    page.compare("first", "second")
    buttons = page.comparison.buttons
    assert {o: int(b.text()) for o, b in buttons.items()} == {
        PairOutcome.BOTH_RIGHT: 13,
        PairOutcome.ONLY_FIRST: 1,
        PairOutcome.ONLY_SECOND: 3,
        PairOutcome.BOTH_WRONG: 1,
    }
    assert "not significant" in page.comparison.verdict.text()
    buttons[PairOutcome.BOTH_WRONG].click()
    assert shown_images(page) == [images[4]]
    assert page.images.title.text() == "Both wrong: 1 image"
    page.comparison.copies.copy_data()
    assert "both wrong" in QGuiApplication.clipboard().text()


def test_category_alone_is_compared_with_category_and_view(session, page, images):
    make_run(session.store, images, "joint", wrong=[4], target=JOINT)
    page.model.forget(None)
    page._reload()
    assert page.pairs.table.cells()[0][:2] == ["joint", "second"]
    assert page.pairs.table.cells()[0][4:] == ["93.3 %", "96.7 %", "+3.3"]
    page.pairs.table.picked.emit(0)
    assert page.table.current_run() == "joint"
    assert page.comparison.other.currentText() == "second"
    assert page.scope.head.count() == 2
    page.scope.head.setCurrentIndex(1)
    page.scope.changed.emit()
    assert page.shown().names == ("front", "back", "left", "right")


def test_curves_of_ticked_runs_are_shown_together(qtbot, page):
    page.tabs.setCurrentWidget(page.curves)
    for run in ("first", "second"):
        page.table.runs.check(run, True)
    assert set(page.curves.accuracy.values_at(None)) >= {"first", "second"}
    assert page.table.checked() == ["second", "first"]


def test_a_run_is_renamed_and_deleted(qtbot, session, page, monkeypatch):
    row = page.table.view_row(1)
    page.table.runs.setData(page.table.runs.index(1, 0), "better name")
    assert row == 1
    assert session.store.runs.get("first").name == "better name"
    answers = [QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Discard]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    page.remove_run("first")
    assert len(session.store.runs.all()) == 2
    page.remove_run("first")
    assert [record.id for record in session.store.runs.all()] == ["second"]
    assert page.table.current_run() == "second"


def test_a_run_that_ended_while_the_page_was_hidden_is_listed_and_compared_with(
    session, page, images
):
    first = page.shown().results
    page.hide()
    make_run(session.store, images, "third", wrong=[7])
    session.announce(Changes(runs=frozenset({"third"})))
    assert len(page.table.cells()) == 2
    page.show()
    others = page.comparison.other
    assert {row[0] for row in page.table.cells()} == {"first", "second", "third"}
    assert [others.itemText(at) for at in range(others.count())] == ["third", "second"]
    assert (page.table.current_run(), page.shown().results) == ("first", first)


def test_an_epoch_of_another_run_leaves_the_shown_run_alone(session, page):
    page.images.show_rows("two images", np.array([1, 2]))
    shown = page.shown()
    session.announce(Changes(runs=frozenset({"second"})))
    assert page.shown() is shown
    assert page.images.title.text() == "two images"


def test_sorting_keeps_each_run_with_its_figures(page):
    at = [column.name for column in page.table.runs.run_columns].index("test")
    page.table.sortByColumn(at, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in page.table.cells()] == ["second", "first"]
    page.table.sortByColumn(at, Qt.SortOrder.AscendingOrder)
    assert [row[at] for row in page.table.cells()] == ["86.7 %", "93.3 %"]


def test_columns_and_order_are_restored(page, session, images):
    page.table.set_chosen(["seed", "test"])
    page.table.set_order("test", False)
    page.curves.show_over_time(True)
    state = json.loads(json.dumps(page.save_state()))
    page.table.set_chosen(None)
    page.table.set_order("name", True)
    page.curves.show_over_time(False)
    page.restore_state(state)
    assert page.table.shown_columns() == {"name", "seed", "test"}
    assert page.table.order() == ("test", False)
    assert page.curves.over_time
    page.restore_state({})
    assert page.table.chosen is None


def test_curves_of_several_runs_are_compared_over_time(page):
    page.opened(curves=["first", "second", "removed"])
    assert page.tabs.currentWidget() is page.curves
    assert page.curves.over_time
    assert page.table.checked() == ["second", "first"]
    assert "first (" in page.curves.heading.text()
    page.opened(curves=["removed"])
    assert page.table.checked() == ["second", "first"], "nothing to show"


def test_everything_can_be_saved(page, tmp_path):
    for number, section in enumerate((page.matrix, page.classes, page.calibration, page.views)):
        section.copies.save_image(tmp_path / f"{number}.png")
        section.copies.save_data(tmp_path / f"{number}.csv")
        assert (tmp_path / f"{number}.png").stat().st_size > 300
        assert (tmp_path / f"{number}.csv").read_text().count("\n") >= 3


def test_the_runs_and_all_curves_are_saved_as_tables(page, tmp_path):
    page.copies.save_data(tmp_path / "runs.csv")
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert lines[0].startswith("id,Run,Target,Backbone,Head,Method,Penalty,Frozen,Start,")
    assert lines[1].startswith("second,second,category,SqueezeNet 1.1,linear,fine-tune,none,none,")
    for run in ("first", "second"):
        page.table.runs.check(run, True)
    page.curves.whole.save_data(tmp_path / "curves.csv")
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert len(lines) == 7
    assert lines[1].startswith("second,1,1.0,1.2,0.5,")


def test_another_runs_progress_leaves_the_shown_run_alone(qtbot, session, page, images):
    click_cell(qtbot, page, 1, 2)
    before = page.shown().results
    make_run(session.store, images, "third", status="running")
    session.announce(Changes(runs=frozenset({"third"})))
    assert [row[0] for row in page.table.cells()] == ["third", "second", "first"]
    assert page.table.current_run() == "first"
    assert page.shown().results is before
    assert len(page.images.rows()) == 2


def test_the_page_restores_its_state(qtbot, page, window):
    page.tabs.setCurrentIndex(3)
    page.matrix.values.setCurrentIndex(1)
    page.scope.part.setCurrentIndex(page.scope.part.findData("train"))
    page.scope.changed.emit()
    state = page.save_state()
    again = ResultsPage(window.context)
    qtbot.addWidget(again)
    again.restore_state(state)
    again.opened()
    assert again.table.current_run() == "first"
    assert again.tabs.currentIndex() == 3
    assert again.scope.scope().part == "train"
    again.closing()


@pytest.fixture
def brackets():
    """A language that puts brackets around each text."""
    use_language(lambda text, comment, n: f"[{text}]")
    yield
    use_language(None)


def test_parts_and_outcomes_are_translated_but_names_of_labels_are_not(page, brackets):
    page.scope.show_results(page.shown().results)
    parts = [page.scope.part.itemText(at) for at in range(page.scope.part.count())]
    assert parts == ["[Test]", "[Train]"]
    table = replace(page.shown().results.table, marks=np.ones((30, 3), bool))
    several = RunResults(page.shown().results.record, table)
    assert label_names(several, "target") == ("owl", "puffin", "toucan")
    assert label_names(several, f"{LABEL_HEAD}1") == ("[not puffin]", "puffin")


def test_an_empty_project_leads_to_training(qtbot, session, window):
    made = ResultsPage(window.context)
    qtbot.addWidget(made)
    made.opened()
    assert made._stack.currentWidget() is made.empty
    made.empty.button.click()
    assert window.went == [("train", {})]
    made.closing()


def test_images_that_left_the_project_do_not_break_their_cell(qtbot, session, page, images):
    with session.edit("Remove"):
        session.store.images.remove([images[14]])
    click_cell(qtbot, page, 1, 2)
    page.images.grid.viewport().repaint()
    assert np.isin(images[15], shown_images(page))


def test_a_run_on_mouths_shows_and_labels_the_mouths(qtbot, session, images, window):
    with session.edit("Find mouths"):
        crop = session.store.crops.save(
            Crop(None, images[0], 0, CropState.FOUND, Rect(4, 2, 16, 14))
        )
        session.store.labels.assign_crops([crop.id], "expression", "smile")
    record = make_run(session.store, images, "mouths", status="paused")
    names = session.store.labels.get("expression").names
    labels = RunLabels(LabelList("expression", names, tuple(range(4))))
    session.store.runs.update(
        record.id, status=RunStatus.FINISHED, target="expression", labels=labels
    )
    one = np.array([1], np.int64)
    session.store.runs.save_predictions(
        record.id,
        PredictionTable(
            images=np.array([images[0]]),
            crops=np.array([crop.id]),
            parts=2 * one,
            truth=2 * one,
            scores=np.array([[0.1, 0.1, 0.2, 0.6]], np.float32),
            view_truth=-one,
            view_scores=None,
            true_view=np.array([""]),
        ),
    )
    page = ResultsPage(window.context)
    qtbot.addWidget(page)
    page.resize(1216, 640)
    page.opened()
    page.show()
    click_cell(qtbot, page, 2, 3)
    tiles = page.images.tiles
    qtbot.waitUntil(lambda: tiles.thumbnail(0) is not None)
    assert (tiles.thumbnail(0).width(), tiles.thumbnail(0).height()) == (12, 12)
    assert tiles.caption(0) == "open 0.60"
    page.images.grid.setFocus()
    qtbot.keyClick(page.images.grid, "o")
    assert session.store.labels.of_crops([crop.id], "expression") == {crop.id: ("open",)}
    page.closing()


def test_a_study_that_is_made_elsewhere_is_listed(session, page):
    page.studies.switch.setChecked(True)
    assert page.studies.which.count() == 0
    plan = parse_plan({"base": {}, "variants": {"plain": {}, "late": {"epochs": 9}}}, "Depth")
    session.put_study(Study(id="s", created=1.0, plan=plan))
    assert [page.studies.which.itemText(at) for at in range(page.studies.which.count())] == [
        "Depth"
    ]
