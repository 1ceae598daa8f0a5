"""The window of a project on a read-only disk: it shows why, and edits are disabled."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fixtures.read_only import on_read_only_disk
from tests.fixtures.stored_images import fill
from workbench.storage.project import Project

SHOW = """
import json, os, pathlib, sys
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from workbench.app.settings import UserSettings
from workbench.domain.errors import KnownError
from workbench.ui.application import Workbench
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
loop = QEventLoop()
QTimer.singleShot(0, loop.quit)
loop.exec()
window.make_daily_restore_point()
result = {
    "banner": banner.text(), "visible": banner.isVisible(), "enabled": enabled,
    "notes": window.notes.texts(), "labelled": window.session.labels.counts("view"),
    "jobs": len(window.session.jobs.jobs()),
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
