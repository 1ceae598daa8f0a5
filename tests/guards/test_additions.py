"""Whatever is added as one entry is found in the window, on the command line and in the manual."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import write_manual
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QLabel, QToolButton

from tests.fixtures import additions
from tests.fixtures.entries import CLUSTERING
from tests.fixtures.finished_runs import fill, make_run
from workbench.app import learner
from workbench.app.session import Session
from workbench.app.training import choices
from workbench.cli.command import run
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import complete
from workbench.domain.text import mark
from workbench.storage.project import Project
from workbench.ui.commands import Menu, command
from workbench.ui.dialogs.keys import KeysDialog
from workbench.ui.page import PAGES, Page, PageEntry, PageHeader, column
from workbench.ui.window.window import MainWindow

ROOT = Path(__file__).resolve().parents[2]
# Help texts are made when the commands are loaded, so these are of a process of their own.
HELP = """
from tests.fixtures.entries import added_entries
with added_entries():
    from workbench.cli.command import run
    for words in ("cluster", "import", "labels import", "labels export"):
        print("===", words)
        run([*words.split(), "--help"])
"""


class AddedPage(Page):
    """A page that no module of the program names."""

    name = "added"
    greetings = 0

    def __init__(self, context):
        super().__init__(context)
        column(PageHeader(self.title), on=self)

    @command(mark("Greet the world"), key="Ctrl+Alt+G", menu=Menu.MOUTHS)
    def greet(self):
        self.greetings += 1


PAGE = PageEntry("added", mark("Added"), "cube", f"{__name__}:AddedPage")


@pytest.fixture(scope="module")
def project(qapp, tmp_path_factory) -> Iterator[Path]:
    """A project with one run, and one more of everything in this process and those it starts."""
    folder = tmp_path_factory.mktemp("added")
    store = Project.create(folder / "birds.workbench")
    make_run(store, fill(store, folder / "photos"), "first")
    store.close()
    with pytest.MonkeyPatch.context() as patch, additions.additions():
        patch.setattr(choices, "_known", [])
        patch.setattr(learner, "learning_command", additions.command)
        with PAGES.temporarily(PAGE.name, PAGE):
            yield store.folder


@pytest.fixture(scope="module")
def printed(project) -> dict[str, str]:
    """What commands print, with their errors, by the words that call them."""
    root = {"cwd": ROOT, "env": {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}}
    helps = subprocess.run(
        [sys.executable, "-c", HELP], **root, capture_output=True, text=True, check=True
    )
    found = {}
    for part in helps.stdout.split("=== ")[1:]:
        words, _, text = part.partition("\n")
        found[words] = " ".join(text.split())
    for words in ("methods", "runs", "train"):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            run({"methods": ["methods"], "runs": ["runs", str(project)]}.get(words, train(project)))
        found[words] = out.getvalue()
    return found


def train(project: Path) -> list[str]:
    """A command whose error lists the backbones."""
    return ["train", str(project), "--set", "target=category", "--set", "backbone=?"]


@pytest.fixture(scope="module")
def window(project, printed) -> Iterator[MainWindow]:
    """The window on the project, which no command uses any more."""
    made = MainWindow(Session(Project.open(project)))
    made.show()
    made.make_all_pages()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture(scope="module")
def manual(window) -> dict[str, str]:
    """The reference pages."""
    keys = write_manual.keys_page(write_manual.keys_of(window))
    make = {name: page for name, page in write_manual.PAGES.items() if name != "commands.md"}
    return {name: keys if name == "keys.md" else page() for name, page in make.items()}


@pytest.mark.parametrize(
    ("command_line", "text"),
    [
        pytest.param("train", "one-layer", id="backbone"),
        pytest.param("methods", "  target-only: Learns.", id="method"),
        pytest.param("methods", "  scaled: Multiplies features.", id="head"),
        pytest.param("methods", "options.small-weights.weight = 0.1", id="penalty"),
        pytest.param("cluster", "[deepcluster|iic|turns]", id="clustering"),
        pytest.param("import", "toy", id="format of images"),
        pytest.param("labels import", "toy", id="format read"),
        pytest.param("labels export", "toy", id="format written"),
        pytest.param("runs", "letters", id="column"),
    ],
)
def test_an_addition_is_on_the_command_line(printed, command_line, text):
    assert text in printed[command_line]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        pytest.param("backbones.md", "| `one-layer` | One layer | 32 px |", id="backbone"),
        pytest.param("backbones.md", "| Somebody 2020 |", id="paper of a backbone"),
        pytest.param("backbones.md", "- `one-layer`: `conv1`", id="stages of a backbone"),
        pytest.param("methods.md", "### `target-only`: Target only", id="method"),
        pytest.param("methods.md", "### `scaled`: Scaled", id="head"),
        pytest.param("methods.md", "### `small-weights`: Small weights", id="penalty"),
        pytest.param("methods.md", "### `turns`: Turns", id="clustering"),
        pytest.param("recipe.md", "`target-only`", id="method as a value"),
        pytest.param("recipe.md", "`scaled`", id="head as a value"),
        pytest.param("recipe.md", "`small-weights`", id="penalty as a value"),
        pytest.param("recipe.md", "`one-layer`", id="backbone as a value"),
        pytest.param("formats.md", "| Toy lines | `toy` | `.toy` |", id="format"),
        pytest.param("run-columns.md", "| Letters | `letters` |", id="column"),
        pytest.param("keys.md", "| Go to Added | View | `Ctrl+7` |", id="page"),
        pytest.param("keys.md", "## Added\n", id="commands of a page"),
    ],
)
def test_an_addition_is_in_the_manual(manual, page, text):
    assert text in manual[page]


def texts(box: QComboBox) -> list[str]:
    return [box.itemText(at) for at in range(box.count())]


@pytest.fixture
def train_page(window, qtbot):
    """The page Train, once it knows what the learning program lists."""
    window.go("train")
    page = window.page("train")
    page.unfold.setChecked(True)
    qtbot.waitUntil(lambda: bool(page.more.methods.ticks))
    return page


def test_what_a_recipe_names_can_be_chosen(train_page, qtbot):
    section = train_page.more.methods
    for key, name in (("method", "target-only"), ("head", "scaled")):
        box = section.boxes[key]
        box.setCurrentIndex(box.findData(name))
        box.activated.emit(box.currentIndex())
    qtbot.mouseClick(section.ticks["small-weights"], Qt.MouseButton.LeftButton)
    backbone = train_page.form.backbone
    assert texts(backbone)[-1].startswith("One layer")
    backbone.activated.emit(backbone.findData("one-layer"))
    assert list(train_page.more.stages.new) == ["conv1"]
    assert set(section.cards) == {"target-only", "scaled", "small-weights"}
    assert not train_page.model.errors()


@pytest.mark.usefixtures("project")
def test_a_recipe_with_additions_is_checked():
    added = {"method": "target-only", "head": "scaled", "penalty": "l2+small-weights"}
    plain = {"target": "category", "start": "none"}
    choices.check_choices(complete({**plain, **added, "options": {"scaled": {"factor": 3}}}, {}))
    with pytest.raises(ValueRefused, match="target-only"):
        choices.check_choices(complete({**plain, "method": "magic"}, {}))
    wrong = complete({**plain, **added, "options": {"scaled": {"factor": 0}}}, {})
    with pytest.raises(ValueRefused, match=r"options\.scaled\.factor"):
        choices.check_choices(wrong)


def test_a_clustering_can_be_chosen(window):
    method = window.page("images").groups.form.method
    assert texts(method) == ["DeepCluster", "IIC", "Turns"]
    assert method.toolTip().endswith(f"\nTurns: {CLUSTERING.description}")


@pytest.mark.parametrize("opened", ["import_list", "import_labels", "export_labels"])
def test_a_format_can_be_chosen(window, opened):
    filters: list[str] = []

    def read() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QFileDialog)
        filters.extend(dialog.nameFilters())
        dialog.reject()

    QTimer.singleShot(0, window, read)
    window.commands.trigger(opened)
    assert any("*.toy" in one for one in filters)


def test_a_column_is_in_the_table_of_runs(window):
    table = window.page("results").table
    assert table.figures.columns[-1].title == "Letters"
    assert [row[-1] for row in table.cells()] == ["5"]


def in_rail(window: MainWindow) -> QToolButton:
    return next(b for b in window.rail.findChildren(QToolButton) if b.text() == "Added")


def by_palette(window: MainWindow, qtbot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(window.palette_box.field, "go to added")
    qtbot.keyClick(window.palette_box.field, Qt.Key.Key_Return)


def by_menu(window: MainWindow, _qtbot) -> None:
    actions = window.menus[Menu.VIEW].actions()
    next(action for action in actions if action.text() == "Go to Added").trigger()


WAYS: dict[str, Callable[[MainWindow, object], object]] = {
    "rail": lambda window, _: in_rail(window).click(),
    "menu": by_menu,
    "key": lambda window, qtbot: qtbot.keyClick(
        window, Qt.Key.Key_7, Qt.KeyboardModifier.ControlModifier
    ),
    "palette": by_palette,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_page_is_opened(window, qtbot, way):
    with qtbot.waitActive(window):
        window.activateWindow()
    window.go("images")
    assert not window.menus[Menu.MOUTHS].menuAction().isVisible()
    WAYS[way](window, qtbot)
    page = window.current_page()
    assert isinstance(page, AddedPage)
    assert in_rail(window).isChecked()
    assert page.findChild(QLabel).text() == page.title == "Added"
    assert in_rail(window).toolTip() == "Added (Ctrl+7)"


def test_the_commands_of_a_page_are_in_its_menu_and_the_list_of_shortcuts(window, qtbot):
    window.go("added")
    page = window.current_page()
    menu = window.menus[Menu.MOUTHS]
    assert menu.menuAction().isVisible()
    assert [action.text() for action in menu.actions() if action.isVisible()] == ["Greet the world"]
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(page, Qt.Key.Key_G, both)
    assert page.greetings == 1
    table = KeysDialog(window.commands, window.settings, window).table
    rows = [[table.item(r, c).text() for c in (0, 1)] for r in range(table.rowCount())]
    assert ["Added", "Greet the world"] in rows
