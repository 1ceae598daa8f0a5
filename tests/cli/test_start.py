"""Where a command line leads: the window, a command, or the learning program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.__main__ import main, opens_window
from workbench.app.project_folders import find_project
from workbench.cli import COMMANDS
from workbench.storage.project import Project


def workbench(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "workbench", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def project_in(folder):
    made = Project.create(folder)
    made.close()
    return made.folder


@pytest.mark.parametrize("arguments", [[], ["birds.workbench"], ["some/where/birds"]])
def test_no_argument_or_a_folder_opens_the_window(arguments):
    assert opens_window(arguments)


def test_a_project_is_named_with_or_without_its_suffix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not opens_window(["birds"])
    project_in(tmp_path / "birds")
    assert opens_window(["birds"])


@pytest.mark.parametrize("path", [".", "birds.workbench/runs", "birds.workbench/", "birds/"])
def test_the_window_opens_on_the_project_that_a_path_means(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    folder = project_in(tmp_path / "birds")
    (folder / "runs").mkdir()
    if path == ".":
        monkeypatch.chdir(folder)
    assert opens_window([path])
    assert find_project(Path(path)) == folder


def test_a_name_that_is_neither_project_nor_command_is_refused_in_a_sentence(tmp_path):
    done = workbench("Nope", "--json", cwd=tmp_path)
    assert done.returncode == 2
    refused = json.loads(done.stdout.splitlines()[-1])["error"]
    assert refused == "“Nope” is neither a project nor a command."
    done = workbench("trian", "Nope", cwd=tmp_path)
    assert done.returncode == 2
    assert "“trian” is not a command. Did you mean “train”?" in done.stderr


def test_a_command_is_one_even_beside_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert not opens_window(["demo"])
    assert not opens_window(["--help"])
    assert not opens_window(["import", "birds"])


def test_the_learning_program_is_reached_through_the_same_door(capsys):
    with pytest.raises(SystemExit):
        main(["learning", "--help"])
    assert "RUN_FOLDER" in capsys.readouterr().out


def test_the_door_to_the_window_loads_neither_click_nor_torch():
    code = (
        "import sys, workbench.__main__ as m; m.opens_window(['x']); "
        "print([n for n in ('click', 'torch', 'PySide6', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command():
    done = workbench("--help")
    assert done.returncode == 0
    listed = done.stdout.split("\nCommands:")[1]
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    assert "..." not in listed  # each first sentence fits its line


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example_and_json(name, capsys):
    assert main([name, "--help"]) == 0
    output = capsys.readouterr().out
    assert f"workbench {name}" in output.split("Example:")[1]
    assert "--json" in output


def test_wrong_usage_ends_with_two_and_an_object():
    done = workbench("train", "nowhere", "--json")
    assert done.returncode == 2
    assert "target=" in json.loads(done.stdout.splitlines()[-1])["error"]
    assert workbench("frobnicate").returncode == 2


def test_no_window_library_and_no_torch_in_a_command(tmp_path):
    code = (
        "import sys; from workbench.__main__ import main; "
        f"assert main(['new', {str(tmp_path / 'birds')!r}]) == 0; "
        "print([n for n in ('PySide6.QtGui', 'PySide6.QtWidgets', 'torch', 'pyqtgraph') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_reader_that_leaves_is_no_fault(tmp_path):
    done = subprocess.Popen(
        [sys.executable, "-m", "workbench", "doctor"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    done.stdout.close()
    _, output = done.communicate(timeout=60)
    assert b"Traceback" not in output
    assert done.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
@pytest.mark.parametrize(
    ("platform", "display", "reason"),
    [
        ("", None, "there is no display"),
        ("xcb", ":5977", "there is no display"),
        ("wayland", None, "Qt cannot start on QT_QPA_PLATFORM=wayland"),
        ("nonsense", None, "Qt cannot start on QT_QPA_PLATFORM=nonsense"),
    ],
)
def test_without_a_display_the_window_says_so_in_a_sentence(tmp_path, platform, display, reason):
    shown = {"WAYLAND_DISPLAY", "DISPLAY", "XDG_RUNTIME_DIR"}
    there = {key: value for key, value in os.environ.items() if key not in shown}
    there |= {"QT_QPA_PLATFORM": platform, "HOME": str(tmp_path)}
    done = workbench(env=there if display is None else {**there, "DISPLAY": display})
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: The window cannot be shown: {reason}. ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gb18030", "utf-8"])
@pytest.mark.parametrize("name", ["Eulen 🦉 ä", "rote Vögel", "caf\udce9"])
def test_a_name_is_printed_in_every_encoding(tmp_path, encoding, name):
    if os.name == "nt" and not name.isprintable():
        pytest.skip("names of files are text here")
    there = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "workbench", "new", name]
    folder = f"{name}.workbench"
    done = subprocess.run([*command, "--json"], cwd=tmp_path, env=there, capture_output=True)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout.decode(encoding))
    assert Path(made["project"]).name.encode(errors="surrogateescape") == os.fsencode(folder)
    again = subprocess.run(command, cwd=tmp_path, env=there, capture_output=True)
    assert again.returncode == 1
    assert b"error: " in again.stderr
    assert b"Traceback" not in again.stderr
