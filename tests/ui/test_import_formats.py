"""Formats in the window: what file dialogs list, and what a dropped list or table brings."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit

from tests.fixtures.toy_formats import PSV, register_for_test
from tests.ui.conftest import write_photo
from workbench.domain.formats import Origin
from workbench.ui.dialogs.importing import ImportDialog

TABLE = "path\tcategory\tview\na.jpg\tgreat owl\tleft\nb.jpg\tduck\tfront\n"
LIST = "a.jpg\tgreat owl\nb.jpg\tduck\n"
FROM_COLUMN = dict.fromkeys(("category", "view", "expression"), Origin.TABLE)


def listing(folder: Path, name: str, text: str) -> Path:
    """Two images in a new folder, and a file that names them."""
    for seed, image in enumerate(("a.jpg", "b.jpg"), start=90):
        write_photo(folder / "new" / image, seed)
    (folder / "new" / name).write_text(text, encoding="utf-8")
    return folder / "new" / name


class Answers:
    """Answers the dialogs that open, each with Enter, and keeps what they showed."""

    def __init__(self, file: Path | None = None) -> None:
        self.filters: list[list[str]] = []
        self.origins: list[dict[str, Origin]] = []
        self._file = file
        self._timer = QTimer(interval=20)
        self._timer.timeout.connect(self._answer)
        self._timer.start()

    def _answer(self) -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QFileDialog):
            self.filters.append(dialog.nameFilters())
            if self._file is None:
                dialog.reject()
                return
            # As a user types it: selectFile() selects nothing before the folder has been read.
            name = dialog.findChild(QLineEdit, "fileNameEdit")
            assert isinstance(name, QLineEdit)
            name.setText(str(self._file))
            dialog.accept()
        elif isinstance(dialog, ImportDialog):
            self.origins.append(dialog.chosen())
            QTest.keyClick(dialog, Qt.Key.Key_Return)

    def end(self) -> None:
        self._timer.stop()


@pytest.fixture
def answers():
    """Makes Answers; they end with the test."""
    made: list[Answers] = []

    def make(file: Path | None = None) -> Answers:
        made.append(Answers(file))
        return made[-1]

    yield make
    for one in made:
        one.end()


def drop(qtbot, window, place: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(place))])
    event = QDropEvent(
        QPointF(400, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(window.session.jobs.ended):
        window.dropEvent(event)


def labels(window, label_set: str) -> dict[str, str]:
    """The set's labels of the images that `listing` wrote."""
    rows = window.session.store.images.rows(window.session.store.images.ids())
    return {
        row.name: "+".join(row.labels[label_set])
        for row in rows
        if row.name in ("a.jpg", "b.jpg") and row.labels.get(label_set)
    }


@pytest.mark.parametrize("way", ["dropped", "chosen"])
def test_a_tsv_table_keeps_its_labels(window, qtbot, tmp_path, answers, way):
    table = listing(tmp_path, "t.tsv", TABLE)
    given = answers(table)
    bring(qtbot, window, table, way)
    assert given.origins == [FROM_COLUMN]
    assert labels(window, "category") == {"a.jpg": "great owl", "b.jpg": "duck"}
    assert labels(window, "view") == {"a.jpg": "left", "b.jpg": "front"}


@pytest.mark.parametrize("way", ["dropped", "chosen"])
def test_a_tsv_list_keeps_its_labels(window, qtbot, tmp_path, answers, way):
    listed = listing(tmp_path, "t.tsv", LIST)
    given = answers(listed)
    bring(qtbot, window, listed, way)
    assert given.origins == [
        {"category": Origin.LIST, "view": Origin.NONE, "expression": Origin.NONE}
    ]
    assert labels(window, "category") == {"a.jpg": "great owl", "b.jpg": "duck"}


def bring(qtbot, window, place: Path, way: str) -> None:
    if way == "dropped":
        drop(qtbot, window, place)
    else:
        with qtbot.waitSignal(window.session.jobs.ended):
            window.commands.trigger("import_list")


def test_a_table_without_label_columns_is_imported_without_labels(window, qtbot, tmp_path, answers):
    table = listing(tmp_path, "t.csv", "path,size\na.jpg,1\nb.jpg,2\n")
    given = answers()
    drop(qtbot, window, table)
    assert set(given.origins[0].values()) == {Origin.NONE}
    assert window.session.store.images.count() == 26


@pytest.mark.parametrize(
    ("action", "filters"),
    [
        ("import_list", ["Lists and tables (*.txt *.lst *.list *.csv *.tsv)"]),
        ("import_labels", ["Label files (*.csv *.tsv *.json)"]),
        ("export_labels", ["CSV (*.csv)", "TSV (*.tsv)", "JSON (*.json)"]),
    ],
)
def test_file_dialogs_list_the_formats_of_the_registry(window, answers, action, filters):
    given = answers()
    window.commands.trigger(action)
    assert given.filters == [filters]


def test_a_new_format_is_dropped_and_exported(window, qtbot, tmp_path, answers, monkeypatch):
    register_for_test(monkeypatch, PSV)
    table = listing(tmp_path, "t.psv", TABLE.replace("\t", "|"))
    given = answers()
    drop(qtbot, window, table)
    given.end()
    assert given.origins == [FROM_COLUMN]
    assert labels(window, "view") == {"a.jpg": "left", "b.jpg": "front"}
    answers(tmp_path / "labels.psv")
    window.commands.trigger("export_labels")
    assert "|view|left|" in (tmp_path / "labels.psv").read_text(encoding="utf-8")
    assert window.notes.texts()[-1] == "28 labels exported to labels.psv."
