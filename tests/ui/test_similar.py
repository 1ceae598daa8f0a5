"""Find similar, on both pages with real images: ordered, labelled, undone, closed."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from tests.fixtures.damage import flipped
from workbench.app.jobs import Failed, run_here
from workbench.app.similar.clustering import cluster_request, cluster_task
from workbench.app.similar.features import feature_source
from workbench.app.similar.similarity import similar_task
from workbench.domain.features import ROWS_FILE
from workbench.domain.images import ImageFilter, Similar, Sort
from workbench.ui.commands import Menu
from workbench.ui.parts.filter_bar import chips, from_state, to_state, with_label
from workbench.ui.parts.image_menu import image_menu

WAIT = 120_000
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def page(weights, window):
    return window.page("images")


def found(qtbot, similar):
    """Wait until a search that was begun has ended."""
    qtbot.waitUntil(lambda: similar._job is None, timeout=WAIT)


def tips(page):
    return [chip.toolTip().split(" –")[0] for chip in page.bar._chips]


def test_images_are_ordered_labelled_in_bulk_and_put_back(page, qtbot, window):
    by_name = page.grid.ids().copy()
    image = int(by_name[5])
    page.grid.setFocus()
    page.grid.set_current(image)
    qtbot.keyClick(page.grid, Qt.Key.Key_J, CONTROL)
    assert tips(page) == ["Similar to egret5.jpg"]
    assert page.grid.ids().tolist() == by_name.tolist()  # nothing moves before it is known
    assert page.grid.current() == image
    assert [job.task.kind for job in window.session.jobs.jobs()] == ["similar"]
    found(qtbot, page.similar)

    ranked = page.grid.ids().copy()
    source = feature_source(window.session)
    again = run_here(similar_task(window.session, source, [image])).value
    assert again.computed == 0
    assert ranked.tolist() == again.images.tolist()
    assert ranked[0] == image
    assert page.grid.current() == image
    assert page.header.order.currentText() == "by similarity"
    assert not page.header.order.isEnabled()
    assert page.similar.line.box.currentText() == "ImageNet · SqueezeNet 1.1"
    assert "24 images" in page.similar.line.box.toolTip()
    page.tiles.prepare(ranked)
    assert page.tiles.caption(image) == "1.00  egret5.jpg"

    page.header.reverse.setChecked(True)  # the least similar first
    assert page.grid.ids().tolist() == ranked[::-1].tolist()
    page.header.reverse.setChecked(False)

    page.bar.set_filter(with_label(page.bar.filter, "view", None))
    page.grid.set_current(int(ranked[0]))
    for _ in range(3):
        qtbot.keyClick(page.grid, Qt.Key.Key_Right, SHIFT)
    qtbot.keyClick(page.grid, "L")
    assert set(window.session.store.labels.of_images(ranked[:4], "view").values()) == {("left",)}
    assert page.grid.ids().tolist() == ranked[4:].tolist()  # the labelled ones have left
    window.undo()
    assert page.grid.ids().tolist() == ranked.tolist()

    page.bar._chips[0].click()
    assert tips(page) == ["no view"]
    assert page.grid.ids().tolist() == by_name.tolist()
    assert page.header.order.currentText() == "by name"
    assert page.header.order.isEnabled()
    page.tiles.prepare(by_name)
    assert page.tiles.caption(image) == "egret5.jpg"
    assert page.similar.line.isHidden()


def test_the_menu_finds_similar_to_several_and_in_views(page, qtbot, window):
    ids = page.grid.ids()[[2, 12]]
    menu = image_menu(page.context, page, ids, "view")
    next(a for a in menu.actions() if a.text() == "Find similar to these").trigger()
    menu.deleteLater()
    assert tips(page) == ["Similar to 2 images"]
    found(qtbot, page.similar)
    ranking = page.list.ranking(page.list.filter)
    assert np.isin(ids, ranking.images[:6]).all()

    window.go("views")
    views = window.page("views")
    menu = image_menu(views.context, views, ids[:1], "view")
    next(a for a in menu.actions() if a.text() == "Find similar").trigger()
    menu.deleteLater()
    found(qtbot, views.similar)
    assert views.strip.ids()[0] == views.strip.current() == ids[0]
    assert views.header.order.currentText() == "by similarity"
    second = int(views.strip.ids()[1])
    qtbot.keyClick(views.strip, "F")
    qtbot.waitUntil(lambda: views.strip.current() == second)  # on, by similarity


def test_ctrl_j_works_on_the_page_that_is_shown_alone(page, qtbot, window):
    window.go("views")
    views = window.page("views")
    views.strip.set_current(int(views.strip.ids()[20]))
    window.go("images")
    page.grid.set_current(int(page.grid.ids()[5]))
    qtbot.keyClick(page.grid, Qt.Key.Key_J, CONTROL)
    assert (tips(page), tips(views)) == (["Similar to egret5.jpg"], [])
    found(qtbot, page.similar)
    assert page.header.order.currentText() == "by similarity"
    assert views.header.order.currentText() != "by similarity"

    window.go("views")
    qtbot.keyClick(views.strip, Qt.Key.Key_J, CONTROL)
    assert (tips(page), tips(views)) == (["Similar to egret5.jpg"], ["Similar to puffin4.jpg"])
    found(qtbot, views.similar)
    assert views.strip.ids()[0] == views.strip.current()


def test_menu_and_palette_find_similar_on_the_page_that_is_shown(page, qtbot, window):
    views = window.page("views")
    image = int(page.grid.ids()[5])
    page.grid.set_current(image)
    shown = [a for a in window.menus[Menu.VIEW].actions() if a.isVisible()]
    next(a for a in shown if a.text().startswith("Find similar")).trigger()
    assert (tips(page), tips(views)) == (["Similar to egret5.jpg"], [])
    found(qtbot, page.similar)
    page.bar.clear()
    qtbot.keyClick(window, Qt.Key.Key_K, CONTROL)
    qtbot.keyClicks(window.palette_box.field, "find similar")
    qtbot.keyClick(window.palette_box.field, Qt.Key.Key_Return)
    assert (tips(page), tips(views)) == (["Similar to egret5.jpg"], [])
    found(qtbot, page.similar)


def test_a_search_that_is_stopped_leaves_everything_as_it_was(page, qtbot, window):
    by_name = page.grid.ids().tolist()
    page.similar.find(by_name[:1])
    window.session.jobs.jobs()[0].stop()
    found(qtbot, page.similar)
    assert page.bar.filter == ImageFilter()
    assert page.grid.ids().tolist() == by_name
    assert page.header.order.isEnabled()
    assert page.similar.line.isHidden()


def test_a_second_search_replaces_the_first(page, qtbot, window):
    first, second = (int(image) for image in page.grid.ids()[[0, 20]])
    page.similar.find([first])
    page.similar.find([second])
    found(qtbot, page.similar)
    assert page.grid.ids()[0] == second
    assert tips(page) == ["Similar to puffin4.jpg"]
    qtbot.waitUntil(lambda: not window.session.jobs.jobs(), timeout=WAIT)
    assert page.grid.ids()[0] == second


def test_without_any_network_it_reports_what_to_do(window, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    page = window.page("images")
    page.similar.find([int(page.grid.ids()[0])])
    assert "no network for comparing" in window.notes.texts()[-1]
    assert page.bar.filter == ImageFilter()


def test_a_search_is_made_again_after_a_restart(page, qtbot):
    image = int(page.grid.ids()[7])
    page.similar.find([image])
    found(qtbot, page.similar)
    ranked, state = page.grid.ids().tolist(), page.save_state()
    page.bar.clear()
    page.similar._images._ranked = None  # as in a new window
    page.restore_state(state)
    found(qtbot, page.similar)
    assert page.grid.ids().tolist() == ranked
    assert page.list.sort is Sort.NAME


def test_the_request_is_stored_as_plain_values():
    wanted = ImageFilter(similar=Similar((3, 4), "2 images", "run:7"))
    assert from_state(to_state(wanted)) == wanted
    assert [chip.text for chip in chips(wanted, {})] == ["Similar to 2 images"]
    assert chips(wanted, {})[0].without == ImageFilter()
    assert from_state({"similar": {"images": [1]}}) == ImageFilter()


def test_features_that_were_damaged_are_made_again_and_that_is_reported(page, qtbot, window):
    first, second = (int(image) for image in page.grid.ids()[[0, 20]])
    page.similar.find([first])
    found(qtbot, page.similar)
    page.bar._chips[0].click()
    features = window.session.store.features
    (name,) = features.sizes()
    path = features.folder_of(name) / ROWS_FILE
    path.write_bytes(flipped(path.read_bytes(), 100, 6))
    page.similar.find([second])
    found(qtbot, page.similar)
    assert page.list.ranking(page.list.filter).computed == 24
    messages = f"The features in {path.parent} were damaged and are computed again."
    assert messages in [label.text() for label in window.notes.findChildren(QLabel)]


def test_damaged_weights_are_named_and_nothing_is_searched_or_downloaded(page, qtbot, window):
    source = feature_source(window.session)
    path = Path(source.request.weights)
    path.write_bytes(flipped(path.read_bytes(), 5000))
    for task in (
        similar_task(window.session, source, page.grid.ids()[:1]),
        cluster_task(window.session, source, cluster_request(source, "deepcluster", 2)),
    ):
        failed = run_here(task)
        assert isinstance(failed, Failed)
        assert failed.sentence.startswith(f"{path} is damaged")
        assert "Train page" in failed.remedy
    assert window.session.store.features.sizes() == {}
