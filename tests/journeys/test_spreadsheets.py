"""No table that the program writes runs anything in a spreadsheet, whatever the names in a project:
labels, images, people, runs, studies and versions. All are written by the commands and pages."""

from __future__ import annotations

import csv
import re
import unicodedata
from importlib import import_module
from pathlib import Path

import click
import openpyxl
import pytest
from blake3 import blake3

import workbench
from tests.fixtures.imports import import_labels
from tests.fixtures.page_host import PageHost
from tests.fixtures.run_folders import draw
from workbench.app.session import Session
from workbench.cli import COMMANDS
from workbench.cli.command import run
from workbench.domain.images import FoundImage
from workbench.domain.studies import Study, parse_plan
from workbench.formats import FORMATS
from workbench.formats.rows import ending_of
from workbench.storage.project import Project
from workbench.ui.dialogs.annotators import AnnotatorsDialog
from workbench.ui.pages.results.page import ResultsPage
from workbench.ui.parts.copying import Copies

LINK, SUM, WIDE = '=HYPERLINK("x")', "+1+1", "＝A1"
LABELS = (LINK, "-5", WIDE)
SHEETS = (".csv", ".tsv", ".xlsx")
NOTE = re.compile(r"\d+ cells? begins? as formulas do\.")
FAST = "target=category backbone=simpleconv3 start=none image_size=32 epochs=1 batch=8"
PLAN = {"base": {}, "variants": {"=A1+1": {}, "@small": {"epochs": 9}}}
# Modules with a CSV writer of their own. Lists are texts, and the demo's names are its own.
WRITERS = {
    "app/results/predicting.py",
    "demo/demo.py",
    "domain/spreadsheets.py",
    "formats/croissant.py",
    "formats/lists.py",
    "formats/rows.py",
}
# Options of commands that name such a file
OPTIONS = {
    ("annotators", "--csv"),
    ("imports", "--csv"),
    ("predict", "--out"),
    ("versions", "--out"),
}


def is_run(cell: object) -> bool:
    """Whether a spreadsheet may run a cell: what it is once blanks and widths are ignored."""
    text = unicodedata.normalize("NFKC", str(cell)) if isinstance(cell, str) else ""
    if re.fullmatch(r"[+-][0-9.]+(e[+-]?[0-9]+)?", text):
        return False
    return text[:1] in tuple("\t\r\n") or text.lstrip()[:1] in tuple("=+-@")


def cells(path: Path) -> list[object]:
    if path.suffix == ".xlsx":
        return [one for row in openpyxl.load_workbook(path).active.values for one in row]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        return [cell for row in rows for cell in row]


def check(path: Path, guarded: bool = True) -> None:
    found = cells(path)
    assert [cell for cell in found if is_run(cell)] == []
    assert any(isinstance(cell, str) and is_run(cell[1:]) for cell in found) or not guarded


def output(capsys, *words: str) -> str:
    assert run(list(words)) == 0
    return capsys.readouterr().out


def add_images(session: Session, folder: Path, numbers: range) -> None:
    """Images of three classes, with names that begin as formulas do."""
    folder.mkdir()
    found = []
    for at in numbers:
        path = folder / f"{'@=+-'[at % 4]}{at}.png"
        draw(at % 3, at).save(path)
        data = path.read_bytes()
        digest, stat = blake3(data).hexdigest(), path.stat()
        label = (("category", LABELS[at % 3]),)
        found.append(FoundImage(path.name, digest, 40, 40, len(data), stat.st_mtime, label))
    with session.edit("Import"):
        session.store.images.add(session.store.images.add_source(str(folder)), found)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, qapp) -> Path:
    """A trained project with such names everywhere."""
    place = tmp_path_factory.mktemp("odd")
    session = Session(Project.create(place / "Odd"))
    add_images(session, place / "photos", range(24))
    session.close()
    (place / "more").mkdir()
    (place / "more" / "@broken.jpg").write_bytes(b"nothing")
    draw(0, 99).save(place / "more" / "=new.png")
    label = ("label", "Odd", "--set", "category", "--annotator", SUM, "--label", WIDE)
    with pytest.MonkeyPatch.context() as patch:
        in_place(patch, place)
        for words in (
            ("versions", "Odd", "--create", "@before"),
            ("import", "Odd", "more"),
            (*label, "@0.png", "=1.png"),
            ("train", "Odd", *(word for one in FAST.split() for word in ("--set", one))),
            ("runs", "Odd", "--rename", "latest", "=run"),
        ):
            assert run(list(words)) == 0
    return place


def in_place(patch: pytest.MonkeyPatch, place: Path) -> None:
    patch.chdir(place)
    patch.setenv("OMP_NUM_THREADS", "1")
    patch.setenv("WORKBENCH_DEVICE", "cpu")


@pytest.fixture
def project(made: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    """The folder of the project, as the current one."""
    in_place(monkeypatch, made)
    capsys.readouterr()
    return made


def test_no_table_runs_anything(project: Path, capsys, qtbot) -> None:
    commands = {
        ("annotators", "--csv"): ("annotators", "Odd", "--csv"),
        ("imports", "--csv"): ("imports", "Odd", "--csv"),
        ("predict", "--out"): ("predict", "Odd", "latest", "photos", "--out"),
        ("versions", "--out"): ("versions", "Odd", "--compare", "@before", "now", "--out"),
    }
    assert set(commands) == OPTIONS
    for at, words in enumerate(commands.values()):
        path = project / f"command {at}.csv"
        assert NOTE.search(output(capsys, *words, str(path))), words
        check(path)


def test_no_export_runs_anything_and_all_labels_come_back(project: Path, capsys) -> None:
    with_tables = set()
    session = Session(Project.open(project / "Odd.workbench"))
    expected = labels(session)
    session.close()
    for format in FORMATS.values():
        endings = [""] if format.is_folder else [one for one in format.endings if one in SHEETS]
        for ending in endings if format.written else ():
            path = project / "out" / f"{format.name}{ending}"
            path.parent.mkdir(exist_ok=True)
            words = ("labels", "export", "Odd", str(path), "--format", format.name)
            if run([*words, "--set", "category"]) and run(list(words)):
                capsys.readouterr()
                continue  # what it has is not there, such as boxes
            shown = "".join(capsys.readouterr())
            written = path.rglob("*") if path.is_dir() else [path]
            sheets = [one for one in written if ending_of(one) in SHEETS]
            for sheet in sheets:
                check(sheet)
                assert NOTE.search(shown), format.name
            if sheets:
                with_tables.add(format.name)
                copy = Session(Project.open(project / "Odd.workbench"))
                with copy.edit("Clear"):
                    copy.store.labels.assign(copy.images.ids(), "category", None)
                assert labels(copy) == {}
                import_labels(copy, path)
                assert labels(copy) == expected
                copy.close()
    assert with_tables >= {"table", "label-file", "list", "croissant"}


def labels(session: Session) -> dict[str, tuple[str, ...]]:
    rows = session.images.rows(session.images.ids())
    found = session.store.labels.of_images([row.id for row in rows], "category")
    return {row.path: found[row.id] for row in rows if row.id in found}


def test_no_table_of_the_window_runs_anything(project: Path, qtbot) -> None:
    session = Session(Project.open(project / "Odd.workbench"))
    session.put_study(Study(id="s", created=1.0, plan=parse_plan(PLAN, "=study")))
    host = PageHost(session)
    page = ResultsPage(host.context)
    qtbot.addWidget(page)
    page.resize(1216, 640)
    page.opened()
    page.show()
    page.table.select_run("=run")
    people = AnnotatorsDialog(host.context, page)
    guarded = 0
    for at, copies in enumerate((*page.findChildren(Copies), *people.findChildren(Copies))):
        if copies._data is None or not copies._data():
            continue
        path = project / f"window {at}.csv"
        copies.save_data(path)
        check(path, guarded=False)
        changed = any(isinstance(cell, str) and is_run(cell[1:]) for cell in cells(path))
        assert bool(NOTE.search(host.messages[-1][0])) == changed, host.messages[-1]
        guarded += changed
    assert guarded >= 6  # runs, classes, matrix, curves, study, annotators
    page.closing()
    host.close()
    session.close()


def test_every_writer_is_among_these() -> None:
    root = Path(workbench.__file__).parent
    code = {path: path.read_text("utf-8") for path in root.rglob("*.py")}
    own = re.compile(r"\bcsv\.(writer|DictWriter)\b")
    found = {path for path, text in code.items() if own.search(text)}
    assert {path.relative_to(root).as_posix() for path in found} == WRITERS
    assert not [path for path, text in code.items() if "from csv import" in text]
    options = {
        (name, option.opts[0])
        for name, module in COMMANDS.items()
        for option in getattr(import_module(f"workbench.cli.{module}"), f"{name}_command").params
        if isinstance(option, click.Option) and isinstance(option.type, click.Path)
        if re.search(r"CSV|table", option.help or "")
    }
    assert options == OPTIONS
