"""The window: pages on demand, menus, keys, notifications, jobs, and a restart."""

import json
import subprocess
import sys

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMessageBox

from workbench.app.jobs import Task
from workbench.app.labels.labelling import assign
from workbench.app.session import Session
from workbench.app.settings import WITHOUT_PAGE, UserSettings, current_ids
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.reports import Progress
from workbench.storage.project import Project
from workbench.ui.commands import Menu
from workbench.ui.dialogs.manual import ManualDialog
from workbench.ui.look.theme import DARK, Theme, apply_theme
from workbench.ui.page import PAGES
from workbench.ui.window.window import MainWindow

CONTROL = Qt.KeyboardModifier.ControlModifier


def test_pages_are_made_when_first_shown_and_ctrl_numbers_open_them(window, qtbot):
    assert window.current_page().name == "images"
    assert set(window._pages) == {"images"}
    qtbot.keyClick(window, Qt.Key.Key_2, CONTROL)
    assert window.current_page().name == "views"
    window.rail.chosen.emit("images")
    assert window.current_page().name == "images"


def test_every_page_opens(window, qtbot):
    for name in PAGES:
        window.go(name)
        assert window.current_page().name == name
        window.grab()


def test_every_command_is_in_the_palette_and_keys_do_not_conflict(window):
    window.make_all_pages()
    for name in PAGES:
        page = window.page(name)
        shown = window.commands.shown(page)
        keys = [command.key for command in shown if command.key]
        assert sorted(keys) == sorted(set(keys)), name
        for key in keys:  # any other spelling is never found when the key is pressed
            assert QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText) == key
        ids = {command.id for command in shown}
        assert {"undo", "redo", "new", "open", "import_folder", "split"} <= ids


def test_a_key_stored_by_an_earlier_version_still_applies(birds, qtbot, tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"keys": {"select_all": "Ctrl+Y", "no_label": "0", "undo": "F9"}}))
    window = MainWindow(birds, UserSettings(file))
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    qtbot.keyClick(window.page("images").grid, Qt.Key.Key_Y, CONTROL)
    assert window.page("images").grid.selected_count() == 24
    window.go("views")
    views = window.page("views")
    image = views.strip.current()
    views.set_label("front")
    views.stage.drop_flash()  # stay on the image
    qtbot.keyClick(views.strip, "0")
    assert window.session.store.labels.of_images([image], "view") == {}
    qtbot.keyClick(window, Qt.Key.Key_F9)
    assert window.session.store.labels.of_images([image], "view") == {image: ("front",)}
    window.close()


def test_every_old_id_of_a_key_leads_to_a_command(window):
    window.make_all_pages()
    known = {command.id for _, command in window.commands.everything()}
    old_ids = {name for names in WITHOUT_PAGE.values() for name in names.split()}
    assert {name for old in old_ids for name in current_ids(old)} <= known


def test_menus_hold_the_commands_of_the_page_that_is_shown(window):
    def titles(menu):
        return [a.text() for a in window.menus[menu].actions() if a.isVisible()]

    assert any(text.startswith("Select all") for text in titles(Menu.EDIT))
    window.go("views")
    assert not any(text.startswith("Select all") for text in titles(Menu.EDIT))
    assert any(text.startswith("Accept") for text in titles(Menu.LABEL))


def test_undo_names_the_edit_that_it_undoes(window, qtbot):
    page = window.page("images")
    page.grid.set_current(int(page.list.ids[0]))
    page.set_label("front")
    window.menus[Menu.EDIT].aboutToShow.emit()
    undo = window.menus[Menu.EDIT].actions()[0]
    assert undo.text() == "Undo Label 1 image “front”"
    assert undo.isEnabled()
    window.menus[Menu.EDIT].aboutToHide.emit()
    qtbot.waitUntil(lambda: all(a.isEnabled() for a in window.menus[Menu.EDIT].actions()))
    qtbot.keyClick(window, Qt.Key.Key_Z, CONTROL)
    image = int(page.list.ids[0])
    assert window.session.store.labels.of_images([image], "view") == {}
    assert window.notes.texts() == ["Undone: Label 1 image “front”"]
    qtbot.keyClick(window, Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert window.session.store.labels.of_images([image], "view") == {image: ("front",)}
    assert window.notes.texts()[-1] == "Redone: Label 1 image “front”"


def test_the_theme_changes_from_the_palette(window, qtbot, qapp):
    qtbot.keyClick(window, Qt.Key.Key_K, CONTROL)
    qtbot.keyClicks(window.palette_box.field, "theme dark")
    qtbot.keyClick(window.palette_box.field, Qt.Key.Key_Return)
    assert Theme.of(window) is DARK
    assert window.settings.theme == "dark"
    window.theme_light()


def test_a_closed_window_outlives_a_change_of_theme(window, qtbot, qapp):
    """Pages of a closed project exist until they are collected."""
    for page in ("images", "views", "mouths", "train", "results", "explain"):
        window.go(page)
    window.close()
    apply_theme(qapp, "dark")
    assert Theme.of(window) is DARK


def test_running_jobs_are_shown_with_their_progress_and_can_be_stopped(window, qtbot):
    def work():
        while True:
            yield Progress(done=3, total=12, text="3 of 12 images", eta=48.0)

    job = window.session.jobs.start(Task("Look at images", work))
    line = window.status.lines[job]
    qtbot.waitUntil(lambda: "0:48 left" in line.status.text())
    assert line.name.text() == "Look at images"
    assert line.bar.value() == 250
    with qtbot.waitSignal(window.session.jobs.ended):
        line.stop.click()
    assert window.status.lines == {}
    assert not window.status.idle.isHidden()


def test_known_errors_are_notifications_and_internal_errors_are_reports(window, qtbot):
    def refused():
        raise KnownError("photo.jpg cannot be read: it is truncated.", "Replace it.")
        yield

    def broken():
        raise ZeroDivisionError("an internal error")
        yield

    with qtbot.waitSignal(window.session.jobs.ended):
        window.session.jobs.start(Task("Read", refused))
    assert window.notes.texts() == ["photo.jpg cannot be read: it is truncated. Replace it."]
    with qtbot.waitSignal(window.session.jobs.ended):
        window.session.jobs.start(Task("Compute", broken))
    dialog = QApplication.activeWindow() or window
    dialogs = [w for w in window.children() if w.objectName() == "" and hasattr(w, "copy_button")]
    assert "ZeroDivisionError: an internal error" in dialogs[0].text.toPlainText()
    dialogs[0].copy_button.click()
    assert "an internal error" in QApplication.clipboard().text()
    dialogs[0].close()
    assert dialog is not None


def test_a_restart_restores_pages_filters_and_selections(window, qtbot):
    folder = window.session.store.folder
    page = window.page("images")
    page.bar.set_filter(ImageFilter(labels=(("category", "owl"),)))
    page.header.order.setCurrentIndex(page.header.order.findData(Sort.ADDED))
    page.header.slider.setValue(96)
    chosen = int(page.list.ids[3])
    page.grid.set_current(chosen)
    window.go("views")
    views = window.page("views")
    views.header.advance.setCurrentIndex(1)
    views.strip.set_current(int(views.strip.ids()[10]))
    current = views.strip.current()
    window.close()
    again = MainWindow(Session(Project.open(folder)), UserSettings(None))
    qtbot.addWidget(again)
    again.show()
    try:
        assert again.current_page().name == "views"
        assert again.page("views").strip.current() == current
        assert again.page("views").header.after_label == "next"
        images = again.page("images")
        assert images.list.filter == ImageFilter(labels=(("category", "owl"),))
        assert images.list.sort is Sort.ADDED
        assert images.grid.tile_size() == 96
        assert images.grid.current() == chosen
    finally:
        again.close()


def test_closing_stops_running_jobs(window, qtbot):
    ended = []

    def work():
        try:
            while True:
                yield Progress(done=1)
        finally:
            ended.append(True)

    with qtbot.waitSignal(window.session.jobs.reported):
        window.session.jobs.start(Task("Endless", work))
    window.close()
    assert ended == [True]
    assert window.session.jobs.jobs() == ()


@pytest.mark.parametrize("size", [(1280, 720), (960, 540)])
def test_it_fits_small_screens(window, qtbot, size):
    window.resize(*size)
    for name in ("images", "views"):
        window.go(name)
        assert (window.width(), window.height()) == size
        page = window.current_page()
        assert page.minimumSizeHint().width() <= size[0] - 64


def test_the_windows_process_is_free_of_torch(tmp_path):
    script = (
        "import sys; from pathlib import Path; from PySide6.QtWidgets import QApplication\n"
        "from workbench.app.session import Session\n"
        "from workbench.storage.project import Project\n"
        "from workbench.ui.window.window import MainWindow\n"
        "application = QApplication([])\n"
        f"window = MainWindow(Session(Project.create(Path({str(tmp_path / 'p')!r}))))\n"
        "window.show(); window.make_all_pages(); window.close()\n"
        "print(sorted({'torch', 'torchvision', 'captum', 'onnx'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.fixture
def opened(monkeypatch):
    """The dialogs that are opened, which close at once."""
    seen = []
    monkeypatch.setattr(QDialog, "exec", lambda dialog: seen.append(type(dialog).__name__))
    return seen


def test_commands_open_their_dialogs(window, opened, monkeypatch):
    for run in (window.edit_label_sets, window.split, window.show_leakage):
        run()
    assert opened == ["LabelSetsDialog", "SplitDialog", "LeakageDialog"]
    for run in (window.check_computer, window.edit_keys):
        run()
    assert opened[3:] == ["DoctorDialog", "KeysDialog"]
    about = []
    monkeypatch.setattr(QMessageBox, "about", lambda *words: about.append(words[1:]))
    window.about()
    assert about[0][0] == "About Vantage Workbench"


def test_the_manual_opens_once(window):
    window.manual()
    window.manual()
    [dialog] = window.findChildren(ManualDialog)
    assert dialog.isVisible()
    dialog.close()


def test_projects_are_chosen_before_they_are_opened(window, monkeypatch, tmp_path):
    switched = []
    monkeypatch.setattr(window, "_switch", lambda *what: switched.append(what))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    window.new_project()
    window.open_project()
    assert switched == []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "a"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "b"), ""))
    window.new_project()
    window.open_project()
    window.open_recent(tmp_path / "c")
    assert [new for _, new in switched] == [True, False, False]
    assert switched[2][0] == tmp_path / "c"


def test_what_is_undone_and_redone_is_named(window):
    ids = window.session.store.images.ids().tolist()
    assert not window._can_redo()
    assert window._redo_title() == "Redo"
    window.redo()
    assert window.notes.texts() == []
    assign(window.session, ids[:1], "view", "front")
    edit = window.session.history.undo_text()
    assert window._can_undo()
    assert not window._can_redo()
    assert window._undo_title() == f"Undo {edit}"
    window.undo()
    assert window.notes.texts() == [f"Undone: {edit}"]
    assert window._can_redo()
    assert window._redo_title() == f"Redo {edit}"
    window.redo()
    assert window.notes.texts()[-1] == f"Redone: {edit}"


def test_full_screen_is_entered_and_left(window, qtbot):
    window.full_screen()
    assert window.isFullScreen()
    window.full_screen()
    assert not window.isFullScreen()


def test_the_palette_lists_commands_but_not_itself(window):
    window.go("images")
    window.open_palette()
    ids = [entry.name for entry in window.palette_box._entries]
    assert "palette" not in ids
    assert {"undo", "label_sets"} <= set(ids)
    window.palette_box.hide()


def test_only_local_files_can_be_dropped(window, monkeypatch):
    def event(*addresses):
        data = QMimeData()
        data.setUrls([QUrl(address) for address in addresses])
        return data, QDragEnterEvent(
            QPoint(5, 5),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )

    for addresses, accepted in (
        (("file:///tmp/a", "https://example.org/b"), True),
        (("https://example.org/b",), False),
        ((), False),
    ):
        _data, entering = event(*addresses)
        entering.ignore()
        window.dragEnterEvent(entering)
        assert entering.isAccepted() == accepted


def test_the_theme_is_remembered(window):
    for mode in ("light", "dark", "system"):
        getattr(window, f"theme_{mode}")()
        assert window.settings.theme == mode
