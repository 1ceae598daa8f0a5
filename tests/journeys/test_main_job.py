"""The main job in the real window: import, label by keys, undo, train, click, relabel, explain."""

from __future__ import annotations

from PySide6.QtCore import Qt

from tests.fixtures.import_answers import ImportAnswers, drop, import_ended
from workbench.demo.toys import BODIES
from workbench.domain.images import ImageFilter
from workbench.domain.runs import RunStatus

TRAINING = 90_000  # milliseconds a short training may take on a busy machine


def bring(qtbot, window, place) -> None:
    """Drop a folder on the window and answer the dialog as a person would: with Enter."""
    answers = ImportAnswers()
    with import_ended(qtbot, window.session, timeout=30_000):
        drop(window, place)
    answers.end()


def label_by_keys(qtbot, window) -> int:
    """Give every image its view by the key the label set names; the number of keys pressed."""
    page = window.page("views")
    rows = {
        row.id: row for row in window.session.store.images.rows(window.session.store.images.ids())
    }
    for pressed in range(len(rows)):
        image = page.strip.current()
        key = rows[image].name.rsplit("/", 1)[-1][0].upper()
        with qtbot.waitSignal(page.stage.flashed, timeout=5_000):
            qtbot.keyClick(page.strip, key)
        if pressed + 1 < len(rows):
            qtbot.waitUntil(lambda before=image: page.strip.current() != before)
    return len(rows)


def views_now(window) -> dict[int, str]:
    store = window.session.store
    found = store.labels.of_images(store.images.ids(), "view")
    return {image: view for image, (view,) in found.items()}


def names_of(window) -> dict[int, str]:
    rows = window.session.store.images.rows(window.session.store.images.ids())
    return {row.id: row.name.rsplit("/", 1)[-1].split()[0] for row in rows}


def train(qtbot, window, target: str, epochs: int) -> str:
    """Choose what to learn on the Train page, click Train, and wait for the end."""
    window.go("train")
    page = window.page("train")
    for key, value in (
        ("target", target),
        ("backbone", "simpleconv3"),
        ("epochs", epochs),
        ("image_size", 32),
        ("test_resize", 0),
    ):
        page.model.edit(key, value)
    qtbot.waitUntil(page.train.isEnabled)
    with qtbot.waitSignal(window.context.queue.ended, timeout=TRAINING) as ended:
        qtbot.mouseClick(page.train, Qt.MouseButton.LeftButton)
    return str(ended.args[0])


def click_cell(qtbot, window, run: str) -> tuple[int, int, int]:
    """Click the fullest cell of the matrix: its truth, its prediction, its images."""
    window.go("results", run=run)
    page = window.page("results")
    area = page.matrix.view
    truth, predicted = divmod(int(area._counts.argmax()), area._counts.shape[1])
    at = area.cell_rect(truth, predicted).center()
    qtbot.mouseClick(area.viewport(), Qt.MouseButton.LeftButton, pos=at)
    return truth, predicted, int(area._counts[truth, predicted])


def test_from_a_folder_to_an_explanation(qtbot, open_window, photos):
    window = open_window()
    bring(qtbot, window, photos)
    assert window.session.store.images.count() == 32
    assert window.session.store.labels.counts("category")[BODIES[0]] == 16

    window.go("views")
    assert label_by_keys(qtbot, window) == 32
    assert views_now(window) == names_of(window)

    window.commands.trigger("undo")
    assert len(views_now(window)) == 31
    window.commands.trigger("redo")
    assert views_now(window) == names_of(window)

    run = train(qtbot, window, "view", 3)
    record = window.session.store.runs.get(run)
    assert record.status is RunStatus.FINISHED, record.message
    assert len(window.session.store.runs.epochs(run)) == 3

    _, _, count = click_cell(qtbot, window, run)
    page = window.page("results")
    assert len(page.images.rows()) == count
    image = int(page.images._results.table.images[page.images.grid.current()])
    before = views_now(window)[image]
    other = "L" if before != "left" else "R"
    qtbot.keyClick(page.images.grid, other)
    assert views_now(window)[image] != before
    window.commands.trigger("undo")
    assert views_now(window)[image] == before

    explain = window.page("explain")
    with qtbot.waitSignal(explain.explanations.ready, timeout=60_000):
        page.images.explain()
    assert explain.run_id == run
    row = explain.strip.current()
    heat = explain.explanations.heat(row)
    assert heat is not None
    assert len(heat.values) == heat.height * heat.width
    assert all(0.0 <= value <= 1.0 for value in heat.values)


def test_a_restart_shows_what_was_left(qtbot, open_window, photos):
    window = open_window()
    bring(qtbot, window, photos)
    window.go("views")
    page = window.page("views")
    with qtbot.waitSignal(page.stage.flashed):
        qtbot.keyClick(page.strip, "B")
    page.bar.set_filter(ImageFilter(text="left"))
    chosen = page.strip.current()
    labels = views_now(window)
    window.close()

    again = open_window()
    page = again.page("views")
    assert again.current_page() is page
    assert views_now(again) == labels
    assert page.bar.filter == ImageFilter(text="left")
    assert page.strip.current() == chosen
    again.commands.trigger("undo")
    assert len(views_now(again)) == len(labels) - 1
