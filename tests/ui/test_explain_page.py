"""The Explain page on a trained run: heatmaps, labels, layers, the wall, saved images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QObject, QPoint, QPointF, Qt
from PySide6.QtWidgets import QFileDialog

from tests.fixtures.finished_runs import fill, make_run
from tests.fixtures.trained import Trained, import_discs, train
from workbench.app.explain.explaining import Trust, trust
from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.service import LearningService
from workbench.app.session import Session
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.changes import Changes
from workbench.domain.recipes import JOINT
from workbench.domain.runs import MODEL_FILE, WEIGHTS_FILE
from workbench.domain.text import use_language
from workbench.ui.page import Context
from workbench.ui.pages.explain.header import CHOSEN, WALL
from workbench.ui.pages.explain.page import ExplainPage
from workbench.ui.pages.explain.views import part_rect

LONG = 60_000  # milliseconds: PyTorch may be slow on a busy machine


class Window(QObject):
    """The parts of the main window that a page needs."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.went, self.notices = [], []
        self.queue, self.thumbnails = TrainingQueue(session), ThumbnailLoader(session)
        self.service = LearningService()
        self.context = Context(
            session=session,
            service=self.service,
            queue=self.queue,
            thumbnails=self.thumbnails,
            go=lambda page, **what: self.went.append((page, what)),
            notify=lambda text, kind: self.notices.append((text, kind)),
        )
        session.changed.connect(lambda changes: [page.refresh(changes) for page in self.pages])
        self.pages: list[ExplainPage] = []

    def open(self, qtbot, **what) -> ExplainPage:
        page = ExplainPage(self.context)
        self.pages.append(page)
        qtbot.addWidget(page)
        page.resize(1280, 720)
        page.show()
        page.opened(**what)
        return page

    def close(self) -> None:
        for page in self.pages:
            page.closing()
        self.service.close()
        self.queue.close()
        self.thumbnails.close()


@pytest.fixture
def window(session: Session) -> Iterator[Window]:
    made = Window(session)
    yield made
    made.close()


@pytest.fixture
def brackets() -> Iterator[None]:
    """A language that puts brackets around each text."""
    use_language(lambda text, _comment, _n: f"[{text}]")
    yield
    use_language(None)


@pytest.fixture
def joint(session: Session, tmp_path: Path) -> Trained:
    return train(session, import_discs(session, tmp_path / "discs", 30), JOINT)


def shown(page: ExplainPage):
    return page.stage.overlay.heat


def wait_for_heatmap(qtbot, page: ExplainPage, check: bool = False) -> None:
    def there() -> None:
        heat = shown(page)
        assert heat is not None
        assert not check or heat.check is not None

    qtbot.waitUntil(there, timeout=LONG)


def test_without_a_run_the_page_leads_to_training(qtbot, window: Window) -> None:
    page = window.open(qtbot)
    assert "Train a run first" in page.content.empty.sentence.text()
    assert not page.header.run.isVisible()
    page.content.empty.button.click()
    assert window.went == [("train", {})]
    assert window.service.pid == 0  # no process without a run


def test_a_heatmap_is_shown_for_any_label_and_layer(
    qtbot, window: Window, session: Session, joint: Trained
) -> None:
    page = window.open(qtbot)
    assert len(page.strip.ids()) == 12  # the test part
    wait_for_heatmap(qtbot, page, check=True)
    row = page.strip.current()
    first = shown(page)
    known = page.images.scores(row)
    assert first.label == page.images.record.labels.target.labels[int(np.argmax(known.scores))]
    np.testing.assert_allclose(first.scores, known.scores, atol=1e-5)
    assert trust(first) is not Trust.UNCHECKED
    assert f"{first.check.correlation:.2f}" in page.side.trust.text()
    assert page.stage.heat_title.text().startswith(f"{first.label} {first.score:.2f}")
    # another label by a click on its bar: of the views, which have a heading of their own
    bar = next(b for b in page.side.bars.bars() if (b.label_set, b.label) == ("view", "right"))
    at = page.side.bars.rect_of(bar).center()
    qtbot.mouseClick(page.side.bars, Qt.MouseButton.LeftButton, pos=at)
    wait_for_heatmap(qtbot, page)
    qtbot.waitUntil(lambda: shown(page) is not None and shown(page).label == "right", timeout=LONG)
    assert page.side.label.currentData() == ("view", "right")
    # a digit, and 0 for what was predicted
    qtbot.keyClick(page.strip, "2")
    qtbot.waitUntil(lambda: shown(page) is not None and shown(page).label == "green", timeout=LONG)
    qtbot.keyClick(page.strip, "0")
    qtbot.waitUntil(lambda: shown(page) is not None and shown(page).values == first.values)
    # another layer: a finer heatmap
    assert "deepest" in page.side.layer.itemText(0)
    page.side.step_layer(page.side.layer.count() - 4)
    qtbot.waitUntil(
        lambda: shown(page) is not None and shown(page).width > first.width, timeout=LONG
    )
    assert "conv1" in page.stage.heat_title.text()
    # and below the layers what the network attends to
    page.side.step_layer(1)
    qtbot.waitUntil(
        lambda: shown(page) is not None and "attention mask" in page.stage.heat_title.text(),
        timeout=LONG,
    )
    assert (min(shown(page).values), max(shown(page).values)) == (0, 1)
    # and how windows of several scales are scored, the strongest in a frame
    page.side.step_layer(1)
    qtbot.waitUntil(
        lambda: shown(page) is not None and "sliding windows" in page.stage.heat_title.text(),
        timeout=LONG,
    )
    heat = shown(page)
    assert heat.windows > 30
    assert heat.score == max(heat.scores)
    qtbot.waitUntil(lambda: page.stage.overlay.has_image, timeout=LONG)
    page.stage.overlay.set_opacity(0.0)
    framed = page.stage.overlay.grab().toImage()
    frame = part_rect(heat.window, page.stage.overlay.target())
    ratio = framed.devicePixelRatio()
    on_edge = framed.pixelColor(round(frame.center().x() * ratio), round(frame.top() * ratio))
    assert min(on_edge.red(), on_edge.green(), on_edge.blue()) > 200
    wait_for_heatmap(qtbot, page, check=True)
    assert f"strongest of {heat.windows} windows" in page.side.trust.text()
    page.side.step_layer(-1)
    page.side.step_layer(-1)
    assert "conv1" in page.side.layer.currentText()


def test_keys_go_from_image_to_image_and_alt_hides_the_heatmap(
    qtbot, window: Window, joint: Trained
) -> None:
    page = window.open(qtbot)
    first = page.strip.current()
    wait_for_heatmap(qtbot, page)
    qtbot.keyClick(page.strip, Qt.Key.Key_Right)
    assert page.strip.current() != first
    name = page.content.tiles.image(page.strip.current()).name
    assert page.stage.name.text().startswith(name)  # at once
    wait_for_heatmap(qtbot, page)
    page.side.bars.setFocus()
    qtbot.keyClick(page.side.bars, Qt.Key.Key_Left)  # wherever the focus is
    assert page.strip.current() == first
    overlay = page.stage.overlay
    wait_for_heatmap(qtbot, page)
    qtbot.waitUntil(lambda: overlay.has_image, timeout=LONG)
    covered = overlay.grab().toImage()
    qtbot.keyPress(page.strip, Qt.Key.Key_Alt)
    assert overlay.heat_hidden
    assert overlay.grab().toImage() == page.stage.original.grab().toImage()
    qtbot.keyRelease(page.strip, Qt.Key.Key_Alt)
    assert overlay.grab().toImage() == covered
    page.side.opacity.setValue(0)
    assert overlay.grab().toImage() == page.stage.original.grab().toImage()
    page.side.step_opacity(1)
    assert page.side.percent.text() == "10 %"


def test_both_images_are_zoomed_and_moved_together(qtbot, window: Window, joint: Trained) -> None:
    page = window.open(qtbot)
    qtbot.waitUntil(lambda: page.stage.original.has_image, timeout=LONG)
    original, overlay = page.stage.original, page.stage.overlay
    overlay.set_zoom(9.0, QPointF(30, 40))
    assert original.scale == overlay.scale == 9.0
    qtbot.mousePress(original, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    qtbot.mouseMove(original, QPoint(150, 120))
    qtbot.mouseRelease(original, Qt.MouseButton.LeftButton, pos=QPoint(150, 120))
    assert overlay.to_image(QPointF(0, 0)) == original.to_image(QPointF(0, 0))
    page.stage.fit()
    assert original.save_state()["zoom"] is None
    assert overlay.save_state()["zoom"] is None


def test_a_cell_becomes_a_wall_whose_tiles_open(
    qtbot, window: Window, joint: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = (*joint.images[:4], joint.unseen[0])
    page = window.open(qtbot, run=joint.id, ids=ids)
    assert page.header.mode == WALL
    assert page.header.selected_part == CHOSEN
    rows = page.wall.ids().tolist()
    qtbot.waitUntil(lambda: all(page.explanations.heat(r) for r in rows), timeout=LONG)
    tiles = page.content.wall_tiles
    qtbot.waitUntil(lambda: tiles.thumbnail(rows[0]) is not None, timeout=LONG)
    page.content.tiles.prepare(page.wall.ids())  # hidden tiles prepare nothing
    assert tiles.thumbnail(rows[0]) != page.content.tiles.thumbnail(rows[0])
    qtbot.keyPress(page.wall, Qt.Key.Key_Alt)
    assert tiles.thumbnail(rows[0]) == page.content.tiles.thumbnail(rows[0])
    qtbot.keyRelease(page.wall, Qt.Key.Key_Alt)
    known = tiles.image(rows[0])
    assert tiles.caption(rows[0]).endswith(f"{known.predicted} {known.score:.2f}")
    assert ("→" in tiles.caption(rows[0])) == known.wrong == bool(tiles.badges(rows[0]))
    new = tiles.caption(rows[-1])  # never predicted: the label of the heatmap
    assert new.startswith(page.explanations.heat(rows[-1]).label)
    path = tmp_path / "wall.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    page.save()
    qtbot.waitUntil(lambda: bool(window.notices), timeout=LONG)
    assert window.notices[0] == (f"Saved {path}.", "info")
    with Image.open(path) as picture:
        assert picture.width > 3 * 240
    page.wall.activated.emit(rows[2])
    assert page.strip.current() == rows[2]
    assert page.content.modes.currentIndex() == 0
    wait_for_heatmap(qtbot, page)
    page.toggle_wall()
    assert page.wall.current() == rows[2]


def test_the_pair_is_saved_as_png(
    qtbot, window: Window, joint: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = window.open(qtbot, ids=(joint.images[0],))
    wait_for_heatmap(qtbot, page)
    path = tmp_path / "pair.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "pair"), ""))
    page.header.save.click()
    qtbot.waitUntil(lambda: path.exists() and bool(window.notices), timeout=LONG)
    with Image.open(path) as picture:
        assert picture.width > picture.height
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    window.notices.clear()
    page.save()
    assert window.notices == []


def test_right_and_wrong_and_what_a_restart_remembers(
    qtbot, window: Window, joint: Trained
) -> None:
    page = window.open(qtbot)
    every = page.strip.ids()
    page.header._shown._buttons["wrong"].click()
    wrong = page.strip.ids().tolist()
    page.header._shown._buttons["right"].click()
    right = page.strip.ids().tolist()
    assert sorted([*right, *wrong]) == sorted(every.tolist())
    page.header.set_mode(WALL)
    state = page.save_state()
    again = ExplainPage(window.context)
    window.pages.append(again)
    qtbot.addWidget(again)
    again.restore_state({**state, "splitter": [900, 300], "unknown": 1})
    again.show()
    again.opened()
    assert again.strip.ids().tolist() == right
    assert again.header.mode == WALL
    if not wrong:
        again.header._shown._buttons["wrong"].click()
        assert again.content.modes.currentIndex() == 2


def test_an_unreadable_image_is_reported_and_the_page_stays_usable(
    qtbot, window: Window, session: Session, joint: Trained
) -> None:
    missing = session.store.images.path(joint.images[1])
    missing.rename(missing.with_suffix(".away"))
    page = window.open(qtbot, ids=(joint.images[1],))
    qtbot.waitUntil(lambda: missing.name in page.side.trust.text(), timeout=LONG)
    assert page.explanations.unread_reason(page.strip.current()).values  # can be translated
    page.opened(ids=(joint.images[0],))
    wait_for_heatmap(qtbot, page)
    session.store.runs.remove(joint.id)
    session.announce(Changes(runs=frozenset({joint.id})))
    assert page.content.currentIndex() == 1  # no run is left
    assert page.run_id == ""


def test_a_damaged_run_is_reported_in_the_language_of_the_window(
    qtbot, window: Window, session: Session, tmp_path: Path, brackets: None
) -> None:
    make_run(session.store, fill(session.store, tmp_path / "photos"), "damaged")
    folder = session.store.runs_folder / "damaged"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_text("{")
    (folder / WEIGHTS_FILE).write_bytes(b"")
    page = window.open(qtbot)
    qtbot.waitUntil(lambda: bool(window.notices), timeout=LONG)
    text, kind = window.notices[0]
    assert kind == "bad"
    assert re.fullmatch(r"\[\[.*model\.json.*\] \[.*\]\]", text), "sentence and remedy"
    assert page.side.trust.text() == text


def test_the_page_follows_runs_but_not_every_epoch(
    qtbot, window: Window, session: Session, joint: Trained
) -> None:
    page = window.open(qtbot)
    wait_for_heatmap(qtbot, page)
    page.strip.set_current(int(page.strip.ids()[4]))
    name = page.content.tiles.image(page.strip.current()).name
    images = page.images
    session.announce(Changes(runs=frozenset({"some run under way"})))
    assert page.images is images
    train(session, joint.images, "category", "second")
    session.announce(Changes(runs=frozenset({"second"})))
    assert page.run_id == joint.id  # the run shown stays
    assert [page.header.run.itemData(i) for i in range(2)] == ["second", joint.id]
    page.header.run.setCurrentIndex(0)
    page.header.run.activated.emit(0)
    assert page.run_id == "second"
    assert page.content.tiles.image(page.strip.current()).name == name  # for the other run
    wait_for_heatmap(qtbot, page)
    assert len(page.side.bars.bars()) == 3  # no views here
