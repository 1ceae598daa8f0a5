"""The window of a project on a read-only disk: it shows why, and edits are disabled."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fixtures.read_only import on_read_only_disk
from tests.fixtures.stored_images import fill
from workbench.storage.project import Project

SHOW = """
import json, os, pathlib, sys
from PySide6.QtCore import QEventLoop, QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from workbench.app.settings import UserSettings
from workbench.app.versions import remove_version
from workbench.domain.errors import KnownError
from workbench.ui.application import Workbench
from workbench.ui.dialogs.importing import import_folder
application = QApplication([])
workbench = Workbench(UserSettings(None))
def report(kind, error, trace):
    if not isinstance(error, KnownError):  # a report would wait for a person
        sys.__excepthook__(kind, error, trace)
        os._exit(3)
    workbench.report(kind, error, trace)
sys.excepthook = report
assert workbench.open(pathlib.Path(sys.argv[1]))
window = workbench.window
window.make_all_pages()
window.go("views")
application.processEvents()
banner = window.findChild(QLabel, "readOnlyBanner")
window.commands.refresh()
enabled = {c.id: c.enabled() for _, c in window.commands.everything()}
key = next(iter(window.session.labels.get("view").labels)).key
QTimer.singleShot(0, lambda: QTest.keyClick(window.current_page(), key))
def turn():
    loop = QEventLoop()
    QTimer.singleShot(0, loop.quit)
    loop.exec()
turn()
notes, refused = window.notes.texts(), {}
def attempt(name, action):
    for card in list(window.notes._cards):
        window.notes._remove(card)
    def close():
        dialog = QApplication.activeModalWidget()
        refused[name] = dialog.windowTitle() if dialog else " ".join(window.notes.texts())
        if dialog is not None:
            dialog.reject()
    QTimer.singleShot(0, action)
    QTimer.singleShot(0, lambda: QTimer.singleShot(0, close))
    while name not in refused:
        turn()
def drop():
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(sys.argv[1])])
    where, button = QPointF(5, 5), Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    event = QDropEvent(where, Qt.DropAction.CopyAction, mime, button, none)
    window.dropEvent(event)
attempt("drop", drop)
train, mouths = window.page("train"), window.page("mouths")
attempt("train", train.model.train)
attempt("study", train.studies.open_dialog)
attempt("transfer", train.transfers.open_dialog)
attempt("find mouths", lambda: mouths.finding._start([1]))
attempt("edit labels", window.page("views").edit_set)
attempt("edit labels of mouths", mouths._edit_labels)
attempt("import", lambda: import_folder(window.context, window))
attempt("version", lambda: remove_version(window.session, "old"))
window.make_daily_restore_point()
result = {
    "banner": banner.text(), "visible": banner.isVisible(), "enabled": enabled,
    "notes": notes, "labelled": window.session.labels.counts("view"),
    "refused": refused, "jobs": len(window.session.jobs.jobs()),
}
window.close()
print(json.dumps(result))
"""
EDITS = {"import_folder", "split", "label_sets", "undo", "images.clear_label", "train.start"}
READS = {"export_labels", "open", "images.search", "results.runs_csv"}


def test_the_window_shows_why_edits_are_disabled(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "Birds")
    ids = fill(project, 3)
    with project.edit("Label"):
        project.labels.assign(ids[:1], "view", "front")
    project.versions.add(project.versions.draft(), "old", "", "ada")
    project.close()
    done = on_read_only_disk(project.folder, "-c", SHOW, str(project.folder))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["banner"].startswith("Read-only: the disk is read-only.")
    assert found["visible"]
    assert {name for name in EDITS | READS if found["enabled"][name]} == READS
    assert found["labelled"]["front"] == 1
    assert any("Birds is read-only: the disk is read-only." in text for text in found["notes"])
    assert found["jobs"] == 0
    assert len(found["refused"]) == 9
    for how, text in found["refused"].items():
        assert "Birds is read-only: the disk is read-only." in text, (how, text)
