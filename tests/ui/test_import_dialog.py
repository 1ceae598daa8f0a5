"""The import dialog on real files: what it recognises, offers and preselects, by the keyboard."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QInputDialog, QLabel

from tests.fixtures.import_answers import (
    ImportAnswers,
    drop,
    import_ended,
    labels_of,
    targets,
)
from tests.ui.conftest import write_photo
from workbench.formats import written_patterns
from workbench.ui.dialogs.importing import ImportDialog

TABLE = "path\tcategory\tview\na.jpg\tgreat owl\tleft\nb.jpg\tduck\tfront\n"
LIST = "a.jpg\tgreat owl\nb.jpg\tduck\n"
UMLAUTS = "path;label;size\na.jpg;Möwe;1\nb.jpg;Kühe;2\n".encode("cp1252")


def listing(folder: Path, name: str, text: str | bytes) -> Path:
    """Two images in a new folder, and a file that names them."""
    for seed, image in enumerate(("a.jpg", "b.jpg"), start=90):
        write_photo(folder / "new" / image, seed)
    file = folder / "new" / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


@pytest.fixture
def answers():
    """Makes ImportAnswers; they end with the test."""
    made: list[ImportAnswers] = []

    def make(*args, **kwargs) -> ImportAnswers:
        made.append(ImportAnswers(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def opened(host, qtbot):
    """Opens the dialog for paths and waits until they are read."""

    def opened(*paths: Path, labels_only: bool = False) -> ImportDialog:
        dialog = ImportDialog(host.context, paths, None, labels_only)
        qtbot.addWidget(dialog)
        with qtbot.waitActive(dialog):
            dialog.show()
            dialog.activateWindow()
        qtbot.waitUntil(lambda: bool(dialog.sections))
        return dialog

    return opened


def read_again(qtbot, dialog: ImportDialog) -> None:
    """Wait until a changed choice was read."""
    qtbot.waitUntil(lambda: dialog.state.text() != "Reading…")


def texts(dialog: ImportDialog) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel) if label.isVisible())


def choose(box, data: str) -> None:
    """Choose an entry of a combo box with the arrow keys."""
    box.setFocus()
    distance = box.findData(data) - box.currentIndex()
    key = Qt.Key.Key_Down if distance > 0 else Qt.Key.Key_Up
    while box.currentData() != data:
        QTest.keyClick(box, key)


# the window


@pytest.mark.parametrize("way", ["dropped", "chosen"])
def test_a_table_keeps_its_labels(window, qtbot, tmp_path, answers, way):
    table = listing(tmp_path, "t.tsv", TABLE)
    given = answers(table)
    with import_ended(qtbot, window.session):
        if way == "dropped":
            drop(window, table)
        else:
            window.commands.trigger("import_list")
    assert given.targets == [{"category": "category", "view": "view"}]
    assert labels_of(window.session, "category")["a.jpg"] == "great owl"
    assert labels_of(window.session, "view") == {"a.jpg": "left", "b.jpg": "front"}


def test_a_list_keeps_its_labels(window, qtbot, tmp_path, answers):
    listed = listing(tmp_path, "t.txt", LIST)
    given = answers()
    with import_ended(qtbot, window.session):
        drop(window, listed)
    assert given.targets == [{"": "category"}]
    assert labels_of(window.session, "category")["b.jpg"] == "duck"


def test_a_dropped_folder_of_views_is_imported_as_views(window, qtbot, tmp_path, answers):
    write_photo(tmp_path / "more" / "front" / "x.jpg", 99)
    write_photo(tmp_path / "more" / "left" / "y.jpg", 98)
    given = answers()
    with import_ended(qtbot, window.session):
        drop(window, tmp_path / "more")
    assert given.targets == [{"0": "view"}]
    assert labels_of(window.session, "view") == {"x.jpg": "front", "y.jpg": "left"}
    assert "2 images added; 2 labels given" in window.notes.texts()[-1]


def test_labels_alone_are_imported_from_a_file_and_a_folder(window, qtbot, tmp_path, answers):
    table = tmp_path / "labels.csv"
    table.write_text("path,view\nbirds/owl/owl1.jpg,left\n")
    given = answers(table)
    with import_ended(qtbot, window.session, "labels"):
        window.commands.trigger("import_labels")
    given.end()
    assert labels_of(window.session, "view") == {"owl1.jpg": "left"}
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "metadata.csv").write_text("file_name,view\nbirds/owl/owl2.jpg,right\n")
    answers(tmp_path / "set")
    with import_ended(qtbot, window.session, "labels"):
        window.commands.trigger("import_label_folder")
    assert labels_of(window.session, "view") == {"owl1.jpg": "left", "owl2.jpg": "right"}
    assert window.session.images.count() == 24


@pytest.mark.parametrize("command", ["import_list", "import_labels"])
def test_file_dialogs_list_the_endings_of_all_formats(window, answers, command):
    given = answers()
    window.commands.trigger(command)
    ((shown,),) = given.filters
    assert {"*.csv", "*.json", "*.txt", "*.xlsx"} <= set(shown[shown.index("(") + 1 : -1].split())


def test_the_export_dialog_lists_each_format(window, answers):
    given = answers()
    window.commands.trigger("export_labels")
    assert given.filters == [list(written_patterns())]


# what is offered


def test_folder_levels_are_rows_in_the_order_of_the_folders(opened, tmp_path):
    for seed, place in enumerate(("2024/owl", "2024/jay", "2025/owl")):
        write_photo(tmp_path / "cards" / place / f"{seed}.jpg", seed)
    dialog = opened(tmp_path / "cards")
    assert targets(dialog) == {"0": "", "1": "category"}
    assert dialog.sections[0].preview.sets[1].labels == ("jay", "owl")
    assert "3 images" in texts(dialog)


def test_a_new_set_is_named_and_imported(host, opened, qtbot, tmp_path, monkeypatch):
    from workbench.ui.dialogs.importing import start_import

    for seed, place in enumerate(("2024/owl", "2025/jay")):
        write_photo(tmp_path / "cards" / place / f"{seed}.jpg", seed)
    dialog = opened(tmp_path / "cards")
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("year", True))
    box = dialog.sections[0].targets[0]
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_End)
    assert targets(dialog) == {"0": "year", "1": "category"}
    with import_ended(qtbot, host.context.session):
        start_import(host.context, dialog, dialog.paths(), dialog.choices())
    assert labels_of(host.context.session, "year") == {"0.jpg": "2024", "1.jpg": "2025"}
    assert labels_of(host.context.session, "category") == {"0.jpg": "owl", "1.jpg": "jay"}


def test_a_column_called_label_is_the_category_until_that_has_labels(opened, tmp_path):
    table = listing(tmp_path, "t.csv", "path,label,colour\na.jpg,owl,red\nb.jpg,duck,blue\n")
    assert targets(opened(table)) == {"label": "category", "colour": ""}


def test_a_column_called_label_is_not_imported_over_labels(birds, opened, tmp_path):
    table = listing(tmp_path, "t.csv", "path,label\na.jpg,owl\nb.jpg,duck\n")
    assert targets(opened(table)) == {"label": ""}


def test_a_guessed_encoding_must_be_confirmed(host, opened, qtbot, tmp_path):
    dialog = opened(listing(tmp_path, "t.csv", UMLAUTS))
    assert "“Möwe”, “Kühe”" in texts(dialog)
    assert not dialog.ready
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog.isVisible()
    box = dialog.sections[0].confirmed
    assert dialog.focusWidget() is box
    QTest.keyClick(box, Qt.Key.Key_Space)
    assert dialog.ready
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert dialog.result() == ImportDialog.DialogCode.Accepted
    (choices,) = dialog.choices().files.values()
    assert choices.encoding == "cp1252"


def test_another_encoding_shows_its_labels_and_counts_as_confirmed(opened, qtbot, tmp_path):
    dialog = opened(listing(tmp_path, "t.csv", UMLAUTS))
    section = dialog.sections[0]
    choose(section.encoding, "cp1251")
    read_again(qtbot, dialog)
    assert "Mцwe" in texts(dialog)
    assert dialog.ready
    (choices,) = dialog.choices().files.values()
    assert choices.encoding == "cp1251"


def test_another_format_is_read_with_its_own_sets(opened, qtbot, tmp_path):
    dialog = opened(listing(tmp_path, "t.tsv", TABLE))
    choose(dialog.sections[0].format, "list")
    read_again(qtbot, dialog)
    assert list(targets(dialog)) == [""]
    (choices,) = dialog.choices().files.values()
    assert choices.format == "list"


def test_another_folder_for_paths_finds_the_images(opened, qtbot, tmp_path, monkeypatch):
    table = listing(tmp_path, "t.csv", "path,label\nx/a.jpg,owl\nx/b.jpg,duck\n")
    moved = tmp_path / "elsewhere" / "x"
    for name in ("a.jpg", "b.jpg"):
        moved.mkdir(parents=True, exist_ok=True)
        (table.parent / name).rename(moved / name)
    dialog = opened(table)
    assert "Files of 2 of 2 images are not found" in texts(dialog)
    answer = ImportAnswers(tmp_path / "elsewhere")
    QTest.keyClick(dialog.sections[0].root_button, Qt.Key.Key_Space)
    answer.end()
    read_again(qtbot, dialog)
    assert "not found" not in texts(dialog)
    (choices,) = dialog.choices().files.values()
    assert choices.root == tmp_path / "elsewhere"


def test_a_source_that_cannot_be_read_is_left_out(opened, tmp_path):
    table = listing(tmp_path, "t.csv", TABLE.replace("\t", ","))
    dialog = opened(table, tmp_path / "missing.csv")
    assert "missing.csv does not exist" in texts(dialog)
    assert dialog.paths() == [table]
    assert dialog.ready


def test_nothing_to_import_cannot_be_imported(opened, tmp_path):
    dialog = opened(tmp_path)
    assert not dialog.ready
    assert "There is nothing to import." in texts(dialog)


def test_many_columns_and_long_names_fit_a_small_screen(opened, tmp_path):
    names = [f"第{number}个属性 with a name that is much too long" for number in range(40)]
    rows = ["path," + ",".join(names), *(f"{n}.jpg," + ",".join("好" * 40) for n in "ab")]
    dialog = opened(listing(tmp_path, "t.csv", "\n".join(rows)))
    room = dialog.screen().availableGeometry()
    assert len(dialog.sections[0].targets) == 40
    assert dialog.height() <= room.height()
    assert dialog.width() <= 800


def test_labels_alone_show_how_many_images_are_in_the_project(birds, opened, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("path,view\nbirds/owl/owl1.jpg,left\nnowhere.jpg,left\n")
    dialog = opened(table, labels_only=True)
    assert "2 images · 1 is an image of this project" in texts(dialog)
