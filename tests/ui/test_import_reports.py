"""Reports of imports in the window: when they open, what they show, and where they lead."""

import csv
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTreeWidget

from tests.fixtures.import_answers import ImportAnswers, import_ended
from tests.fixtures.imports import import_labels
from workbench.domain.import_reports import DecisionKind
from workbench.ui.dialogs.import_reports import _CHANGES, ImportReportsDialog
from workbench.ui.dialogs.importing import start_label_import

CONFLICT = (
    "path,category\nowl/owl1.jpg,Owl\nowl/owl1.jpg,jay\nnowhere.jpg,owl\nowl/owl2.jpg,Owl\n"
    "owl/owl3.jpg,tern\n"
)


def labels_file(folder: Path, text: str = CONFLICT) -> Path:
    file = folder / "found.csv"
    file.write_text(text, encoding="utf-8")
    return file


def cells(table: QTreeWidget) -> list[list[str]]:
    items = [table.topLevelItem(row) for row in range(table.topLevelItemCount())]
    return [[item.text(at) for at in range(table.columnCount())] for item in items]


def tabs(dialog: ImportReportsDialog) -> list[str]:
    return [
        dialog.tabs.tabText(at) for at in range(dialog.tabs.count()) if dialog.tabs.isTabVisible(at)
    ]


@pytest.fixture
def report(birds, host, qtbot, tmp_path):
    """The dialog with the report of an import with a conflict."""
    import_labels(birds, labels_file(tmp_path))
    dialog = ImportReportsDialog(host.context)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_a_report_opens_by_itself_if_it_needs_attention(window, qtbot, tmp_path):
    with import_ended(qtbot, window.session, "labels"):
        start_label_import(window.context, window, labels_file(tmp_path))
    (dialog,) = window.findChildren(ImportReportsDialog)
    assert dialog.isVisible()
    assert not dialog.isModal()
    assert dialog.title.text() == "Import labels from found.csv"
    dialog.close()


def test_a_notification_leads_to_a_report_without_findings(window, qtbot, tmp_path):
    file = labels_file(tmp_path, "path,category\nowl/owl2.jpg,owl\n")
    with import_ended(qtbot, window.session, "labels"):
        start_label_import(window.context, window, file)
    assert window.findChildren(ImportReportsDialog) == []
    card = window.notes._cards[-1]
    assert card.show_button.isVisible()
    qtbot.mouseClick(card.show_button, Qt.MouseButton.LeftButton)
    (dialog,) = window.findChildren(ImportReportsDialog)
    assert dialog.list.count() == 2
    dialog.close()


def test_rows_that_cannot_be_read_are_in_a_stored_report(birds, host, qtbot, tmp_path):
    import_labels(birds, labels_file(tmp_path, "path,category\nowl/owl1.jpg,owl,a,b\n"))
    dialog = ImportReportsDialog(host.context)
    qtbot.addWidget(dialog)
    assert cells(dialog.skipped) == [["found.csv, line 2", "4 cells, but 2 columns"]]


def test_other_notifications_have_no_button(window):
    window.notify("Saved.", "info")
    assert window.notes._cards[-1].show_button.isHidden()


def test_conflicts_are_shown_with_their_places(report):
    assert tabs(report) == [
        "Conflicts (1)",
        "Changed labels (2)",
        "Skipped (1)",
        "New labels (2)",
        "Decisions (1)",
    ]
    assert report.tabs.currentIndex() == 0
    assert cells(report.conflicts) == [
        ["owl/owl1.jpg", "category", "Owl", "found.csv, line 2", "“owl” kept"],
        ["", "", "jay", "found.csv, line 3", ""],
    ]
    assert "1 conflict" in report.numbers.text()


def test_new_labels_that_resemble_others_come_first(report):
    assert [line[1] for line in cells(report.new_labels)] == ["Owl", "tern"]
    assert "owl" in cells(report.new_labels)[0][2]
    assert cells(report.skipped) == [
        ["nowhere.jpg (found.csv, line 4)", "not an image of this project"]
    ]


def test_a_conflict_leads_to_its_image(report, host):
    report.conflicts.setFocus()
    report.conflicts.setCurrentItem(report.conflicts.topLevelItem(1))
    QTest.keyClick(report.conflicts, Qt.Key.Key_Return)
    ((page, what),) = host.went
    assert page == "images"
    assert host.context.session.images.row(what["image"]).name.endswith("owl1.jpg")


@pytest.mark.parametrize("width", [800, 1100])
def test_both_places_are_visible_without_scrolling(report, width):
    report.resize(width, 560)
    report.tabs.setCurrentIndex(1)  # lays out the table of changed labels
    report.tabs.setCurrentIndex(0)
    assert report.width() == width
    for table, places in ((report.conflicts, [3]), (report.changed, [3, 5])):
        header = table.header()
        assert header.length() <= table.viewport().width()
        assert min(header.sectionSize(at) for at in places) >= 60 + (width - 800) // 10


def test_another_import_is_selected_with_the_arrow_keys(report):
    report.list.setFocus()
    QTest.keyClick(report.list, Qt.Key.Key_Down)
    assert report.title.text() == "Import birds"
    assert "24 images added" in report.numbers.text()
    assert tabs(report) == ["New labels (3)"]


def test_a_report_is_saved_as_csv_and_copied(report, tmp_path):
    answer = ImportAnswers(tmp_path / "report")
    report.save_button.click()
    answer.end()
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["kind", "subject", "details", "to change it"]
    assert rows[1][:2] == ["import", "Import labels from found.csv"]
    assert [row[1:3] for row in rows if row[0] == "number"] == [
        *(["5", "5 rows read"], ["2", "2 labels changed"], ["2", "2 new labels"]),
        *(["1", "1 conflict"], ["1", "1 file or line skipped"]),
    ]
    found = [row[0] for row in rows if row[0] not in ("kind", "import", "number")]
    assert [row[3] for row in rows if row[0] == "decided"] == [
        "Import again and choose another format"
    ]
    assert found == [
        "conflict",
        "changed",
        "changed",
        "skipped",
        "new label",
        "new label",
        "decided",
    ]
    report.copy_button.click()
    assert QGuiApplication.clipboard().text().startswith("import\tImport labels from found.csv")
    assert "conflict\towl/owl1.jpg\tcategory" in QGuiApplication.clipboard().text()


def test_changes_name_no_options_of_the_command_line():
    assert set(_CHANGES) == set(DecisionKind) - {DecisionKind.REMARK}
    assert not [text for text in _CHANGES.values() if "--" in text]


def test_reports_are_opened_by_a_command_also_without_imports(window, qtbot):
    window.commands.trigger("show_import_reports")
    window.commands.trigger("show_import_reports")
    visible = [one for one in window.findChildren(ImportReportsDialog) if one.isVisible()]
    assert len(visible) == 1
    visible[0].close()


def test_a_project_without_imports_has_no_reports(host, qtbot):
    dialog = ImportReportsDialog(host.context)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.empty.isVisible()
    assert not dialog.save_button.isEnabled()
