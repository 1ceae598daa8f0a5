"""Formats in the commands: labels of tab-separated files, and help texts."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from workbench.cli.command import run
from workbench.cli.imports import change_of
from workbench.domain.import_reports import Decision, DecisionKind
from workbench.domain.text import Message

ROOT = Path(__file__).resolve().parents[2]
TABLE = "path\tcategory\tview\na.png\tgreat owl\tleft\nb.png\tduck\tfront\n"
LIST = "a.png\tgreat owl\nb.png\tduck\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with two images in it."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("a.png", "b.png")):
        cv2.imwrite(name, np.full((20, 30, 3), 60 * i, np.uint8))
    return tmp_path


@pytest.fixture
def command(folder, capsys):
    """Runs a command; gives the JSON object it ended with."""

    def carry_out(*arguments):
        capsys.readouterr()
        assert run([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return carry_out


def exported(command, file: str) -> list[str]:
    """Set and label of every image, out of an exported file."""
    command("labels", "export", "Birds", file)
    lines = Path(file).read_text(encoding="utf-8").splitlines()[1:]
    return sorted(" ".join(line.split("\t")[2:4]) for line in lines)


@pytest.mark.parametrize("origin", [(), ("--category-from", "list"), ("--category-from", "csv")])
def test_a_tsv_table_keeps_its_labels(command, folder, origin):
    (folder / "t.tsv").write_text(TABLE, encoding="utf-8")
    command("new", "Birds")
    assert command("import", "Birds", "t.tsv", *origin)["labelled"] == 4
    assert exported(command, "out.tsv") == [
        "category duck",
        "category great owl",
        "view front",
        "view left",
    ]


@pytest.mark.parametrize("origin", ["list", "csv"])
def test_a_tsv_list_keeps_its_labels(command, folder, origin):
    (folder / "t.tsv").write_text(LIST, encoding="utf-8")
    command("new", "Birds")
    assert command("import", "Birds", "t.tsv", "--category-from", origin)["labelled"] == 2
    assert exported(command, "out.tsv") == ["category duck", "category great owl"]


def test_a_tsv_label_file_is_exported_and_imported(command, folder):
    (folder / "t.tsv").write_text(TABLE, encoding="utf-8")
    command("new", "Birds")
    command("import", "Birds", "t.tsv")
    before = exported(command, "out.tsv")
    command("new", "Other")
    command("import", "Other", "a.png", "b.png")
    assert command("labels", "import", "Other", "out.tsv")["labelled"] == 4
    command("labels", "export", "Other", "again.tsv")
    assert exported(command, "again.tsv") == before


HELP = {
    ("import",): ("camtrap", "cub", "table", "JPEG, PNG, BMP, TIFF, WebP, HEIF"),
    ("labels", "export"): ("coco", "cub", "label-file"),
    ("labels", "import"): ("coco", "cub", "label-file", "pets"),
}


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", HELP)
def test_help_lists_the_formats_of_the_registry(name, capsys):
    assert run([*name, "--help"]) == 0
    texts = words(capsys.readouterr().out)
    assert [one for one in HELP[name] if one not in texts] == []


def test_import_has_an_option_for_each_importable_set(capsys):
    run(["import", "--help"])
    texts = capsys.readouterr().out
    for name in ("category", "view", "expression"):
        assert f"--{name}-from [folder|list|csv]" in texts


@pytest.fixture
def birds(folder):
    """The folder `birds` with two folders of one image each."""
    for i, name in enumerate(("owl", "wren")):
        (folder / "birds" / name).mkdir(parents=True)
        cv2.imwrite(f"birds/{name}/{i}.png", np.full((20, 30, 3), 90 + 60 * i, np.uint8))
    return "birds"


def test_names_of_folders_that_are_not_imported_are_offered(command, birds, capsys):
    command("new", "Birds")
    assert run(["import", "Birds", birds]) == 0
    offered = (
        "birds: the names of its folders (owl, wren, …) are not imported"
        " (To import them as labels: --category-from folder)"
    )
    assert offered in capsys.readouterr().out
    assert command("import", "Birds", birds, "--category-from", "folder")["labelled"] == 2
    assert exported(command, "out.tsv") == ["category owl", "category wren"]


def test_labels_that_a_folder_cannot_have_are_refused(command, birds, capsys):
    command("new", "Birds")
    assert run(["import", "Birds", birds, "--labels", "folder=category"]) == 1
    shown = capsys.readouterr().err
    assert "birds is a folder of images without a table: it has no labels called folder." in shown
    assert "--category-from folder" in shown


def test_options_that_change_a_decision_can_be_pasted_into_a_shell():
    value = Message("")
    offered = Decision("t.csv", value, DecisionKind.NOT_IMPORTED, "label 2", "label 2")
    assert change_of(offered).endswith("--labels 'label 2=label 2'")
    unnamed = Decision("t.json", value, DecisionKind.LABEL_SET)
    assert change_of(unnamed).endswith("labels without a name: --labels =…")


def test_a_root_that_is_no_folder_is_refused_with_what_is_needed(tmp_path, capsys):
    assert run(["import", str(tmp_path / "P"), "a.csv", "--root", "/nope"]) != 0
    assert "Allowed: an existing folder." in capsys.readouterr().err
