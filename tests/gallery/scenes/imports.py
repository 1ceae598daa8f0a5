"""Dialogs of imports and exports: what is recognised, reports, and dataset folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tests.fixtures.imports import import_labels
from tests.gallery.projects import EMPTY, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.stage import Stage
from workbench.ui.dialogs.files import ExportFolderDialog
from workbench.ui.dialogs.import_reports import ImportReportsDialog
from workbench.ui.dialogs.importing import ImportDialog

NAMES = ("Woodpecker", "白头鹎", "Möwe", "Seeschwalbe")
OLD_NAMES = ("Möwe", "Kampfläufer", "Bläßhuhn")
LONG_LABEL = "很长的标签" * 6
LONG_COLUMNS = tuple(f"第{at}个属性 that has a name as long as a sentence" for at in range(30))
CARDS = tuple(f"第{at}张存储卡" for at in range(2))
LONG_FILE = f"{'所有照片的标签' * 6} of the second year.csv"
# Names of files, columns and labels: what a user writes and nobody translates.
USERS_NAMES = frozenset(
    (
        *(*NAMES, *OLD_NAMES, LONG_LABEL, *LONG_COLUMNS, *CARDS, LONG_FILE),
        *(name.encode("cp1252").decode("cp1251") for name in OLD_NAMES),
        *("labels of Anna.csv", "field trip", "nothing here", "species", "sex", "note", "blurred"),
        *("shopping list.csv", "milk, butter", "path, filename, file_name", "file", "nowhere.jpg"),
        *("old.csv", "labels.csv", "attributes.csv", "missing.csv", "CUB_200_2011"),
    )
)


def _import(
    stage: Stage, project: str, places: Sequence[Path], labels_only: bool = False
) -> ImportDialog:
    window = stage.open(project)
    dialog = ImportDialog(window.context, places, window, labels_only)
    stage.show(dialog)
    stage.settle(lambda: bool(dialog.sections))
    stage.take(front=dialog)
    return dialog


def _images(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (40 * number % 255, 90, 90)).save(folder / name)
    return folder


def _rows(header: str, *rows: str) -> str:
    return "\n".join((header, *rows, ""))


@scene("dialog-import", "full", FULL, shows=[ImportDialog])
def import_full(stage: Stage) -> None:
    """Folders of labels and views in those of the parts of a split."""
    places = (f"{part}/{name}/{view}/{part}{at}.png" for part in ("train", "test")
              for at, name in enumerate(NAMES) for view in ("front", "left"))  # fmt: skip
    _import(stage, FULL, [_images(stage.home / "field trip", *places)])


@scene("dialog-import", "empty", EMPTY, shows=[ImportDialog])
def import_empty(stage: Stage) -> None:
    """A folder without anything in it."""
    folder = stage.home / "nothing here"
    folder.mkdir(exist_ok=True)
    _import(stage, EMPTY, [folder])


@scene("dialog-import", "error", FULL, shows=[ImportDialog])
def import_error(stage: Stage) -> None:
    """A file that is no table, and one that is not there."""
    wrong = stage.home / "shopping list.csv"
    wrong.write_text("milk;butter\n", encoding="utf-8")
    _import(stage, FULL, [wrong, stage.home / "missing.csv"])


@scene("dialog-import", "table", EMPTY, shows=[ImportDialog])
def import_table(stage: Stage) -> None:
    folder = _images(stage.home / "table", "a.png", "b.png")
    rows = (f"{at}.png,{name},left,f,train,2" for at, name in zip("abcd", NAMES, strict=True))
    (folder / "labels.csv").write_text(
        _rows("path,species,view,sex,split,", *rows, ",,,,,"), encoding="utf-8"
    )
    _import(stage, EMPTY, [folder / "labels.csv"])


@scene("dialog-import", "encoding", EMPTY, shows=[ImportDialog])
def import_encoding(stage: Stage) -> None:
    """An encoding that was guessed."""
    folder = _images(stage.home / "old", "a.png", "b.png")
    rows = (f"{at}.png;{name}" for at, name in zip("abb", OLD_NAMES, strict=True))
    table = _rows("path;label", *rows)
    (folder / "old.csv").write_bytes(table.encode("cp1252"))
    dialog = _import(stage, EMPTY, [folder / "old.csv"])
    encoding = dialog.sections[0].encoding
    encoding.setCurrentIndex(encoding.findData("cp1251"))
    encoding.activated.emit(encoding.currentIndex())
    stage.settle()
    stage.take("chosen", dialog)


@scene("dialog-import", "cub", EMPTY, shows=[ImportDialog])
def import_cub(stage: Stage) -> None:
    """A dataset folder."""
    folder = stage.home / "CUB_200_2011"
    places = [f"{at:03}.{name}/{name}_{at}.jpg" for at, name in enumerate(NAMES, 1)]
    _images(folder / "images", *places)
    lines = {
        "images.txt": (f"{at} {place}" for at, place in enumerate(places, 1)),
        "classes.txt": (f"{at} {at:03}.{name}" for at, name in enumerate(NAMES, 1)),
        "image_class_labels.txt": (f"{at} {at}" for at in range(1, 5)),
        "train_test_split.txt": (f"{at} {at % 2}" for at in range(1, 5)),
    }
    for name, content in lines.items():
        (folder / name).write_text("\n".join(content), encoding="utf-8")
    _import(stage, EMPTY, [folder])


@scene("dialog-import", "labels", FULL, shows=[ImportDialog])
def import_labels_alone(stage: Stage) -> None:
    table = stage.home / "labels.csv"
    table.write_text(_rows("path,view,note", "nowhere.jpg,left,blurred"), encoding="utf-8")
    _import(stage, FULL, [table], labels_only=True)


@scene("dialog-import", "long", LONG, shows=[ImportDialog])
def import_long(stage: Stage) -> None:
    """Many sources, and a table with many columns and long names."""
    folder = next(stage.beside("").glob("2024*"))
    table = stage.home / "attributes.csv"
    rows = (",".join([f"{at}.jpg", *(LONG_LABEL for _ in LONG_COLUMNS)]) for at in range(3))
    table.write_text(_rows(",".join(["path", *LONG_COLUMNS]), *rows), encoding="utf-8")
    more = [Path("/media/照片") / name for name in CARDS]
    _import(stage, LONG, [*sorted(folder.iterdir()), folder, table, *more])


def _with_conflicts(stage: Stage, project: str, name: str) -> None:
    window = stage.open(project)
    session = window.session
    rows = session.images.rows(session.images.ids()[:4])
    known = next(label for row in rows for label in row.labels["category"])
    lines = [f'"{row.path}","{label}"' for row in rows for label in (known.upper(), *NAMES[:2])]
    file = stage.home / name
    file.write_text(_rows("path,category", *lines, "nowhere.jpg,owl"), encoding="utf-8")
    import_labels(session, file)
    dialog = ImportReportsDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)
    for tab, detail in ((1, "skipped"), (2, "new-labels"), (3, "decisions")):
        dialog.tabs.setCurrentIndex(tab)
        stage.settle()
        stage.take(detail, dialog)


@scene("import-report", "full", FULL, shows=[ImportReportsDialog])
def report_full(stage: Stage) -> None:
    _with_conflicts(stage, FULL, "labels of Anna.csv")


@scene("import-report", "long", LONG, shows=[ImportReportsDialog])
def report_long(stage: Stage) -> None:
    _with_conflicts(stage, LONG, LONG_FILE)


@scene("import-report", "empty", EMPTY, shows=[ImportReportsDialog])
def report_empty(stage: Stage) -> None:
    window = stage.open(EMPTY)
    dialog = ImportReportsDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-export-folder", "full", FULL, shows=[ExportFolderDialog])
def export_folder_full(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = ExportFolderDialog(window.context, window)
    stage.show(dialog)
    dialog.folder.setText("/data/cars dataset")
    dialog.format.setCurrentIndex(dialog.format.findData("folders"))
    stage.settle()
    stage.take(front=dialog)
