"""Each wall between the parts, broken once in a copy, is reported by its command."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# What breaks each contract: a line in a file, and what is then reported below the contract's name.
BREAKS = [
    (
        "Every part stands in its layer",
        "domain/geometry.py",
        "import workbench.vision.charts",
        "workbench.domain.geometry -> workbench.vision.charts",
    ),
    (
        "Nobody imports learning",
        "ui/look/theme.py",
        "import workbench.learning.networks.tv",
        "workbench.ui.look.theme -> workbench.learning.networks.tv",
    ),
    (
        "Learning knows vision and domain",
        "learning/networks/tv.py",
        "import workbench.storage.project",
        "workbench.learning.networks.tv -> workbench.storage.project",
    ),
    ("SQL lives in storage", "app/jobs.py", "import sqlite3", "workbench.app.jobs -> sqlite3"),
    (
        "Pixels live in vision",
        "learning/networks/tv.py",
        "import cv2",
        "workbench.learning.networks.tv -> cv2",
    ),
    (
        "Networks live in learning",
        "vision/charts.py",
        "import torch",
        "workbench.vision.charts -> torch",
    ),
    (
        "Qt lives in app and ui",
        "storage/project.py",
        "import PySide6.QtCore",
        "workbench.storage.project -> PySide6",
    ),
    (
        "What is drawn lives in ui",
        "app/jobs.py",
        "import pyqtgraph",
        "workbench.app.jobs -> pyqtgraph",
    ),
    ("Commands live in cli", "app/jobs.py", "import click", "workbench.app.jobs -> click"),
    (
        "The window and the commands reach the store",
        "ui/look/theme.py",
        "import workbench.storage.images",
        "workbench.ui.look.theme -> workbench.storage.images",
    ),
    (
        "The window and the commands reach the store",
        "cli/progress.py",
        "import workbench.vision.headers",
        "workbench.cli.progress -> workbench.vision.headers",
    ),
    (
        "No two neighbours import each other",
        "domain/geometry.py",
        "import workbench.domain.crops",
        ".geometry -> .crops",
    ),
    (
        "Inside the window's code",
        "ui/look/theme.py",
        "import workbench.ui.commands",
        "workbench.ui.look.theme -> workbench.ui.commands",
    ),
    (
        "No page knows another",
        "ui/pages/views/page.py",
        "import workbench.ui.pages.train.page",
        "workbench.ui.pages.views.page -> workbench.ui.pages.train.page",
    ),
]

BANNED = [
    ("app/jobs.py", "from PySide6 import QtWidgets", "PySide6.QtWidgets"),
    ("app/jobs.py", "from PySide6.QtGui import QImage", "PySide6.QtGui"),
    ("cli/command.py", "from PySide6.QtWidgets import QLabel", "PySide6.QtWidgets"),
    ("domain/geometry.py", "import cv2", "cv2"),
    ("domain/geometry.py", "from PIL import Image", "PIL"),
    ("app/jobs.py", "import sqlite3", "sqlite3"),
    ("app/jobs.py", "import torch", "torch"),
    ("app/jobs.py", "import pickle", "pickle"),
]


def copy_into(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workbench", folder / "workbench", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def copy(tmp_path):
    return copy_into(tmp_path)


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    tool = str(BIN / command[0])
    environment = {**os.environ, "PYTHONPATH": str(copy), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [tool, *command[1:]], cwd=copy, env=environment, capture_output=True, text=True
    )


def break_in(copy: Path, file: str, line: str) -> None:
    """Put `line` into a file of the copy, below its docstring and its future import."""
    path = copy / "workbench" / file
    assert path.exists(), f"{file} has moved: name another file to break"
    text = path.read_text(encoding="utf-8")
    head, mark, rest = text.partition("from __future__ import annotations\n")
    path.write_text(f"{head}{mark}{line}\n{rest}" if mark else f"{text}\n{line}\n")


def contracts(copy: Path) -> dict[str, str]:
    """What is reported of each broken contract, by its name."""
    done = run(copy, "lint-imports", "--no-cache")
    _, _, report = done.stdout.partition("\nBroken contracts\n")
    _, *parts = re.split(r"^(.+)\n-{8,}\n", report, flags=re.M)
    assert done.returncode == bool(parts), done.stdout + done.stderr
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The report on a copy in which every contract is broken, each at a place of its own."""
    copy = copy_into(tmp_path_factory.mktemp("broken"))
    for _, file, line, _ in BREAKS:
        break_in(copy, file, line)
    (copy / "workbench" / "leftovers.py").write_text('"""A part that has no layer."""\n')
    return contracts(copy)


def test_the_import_contracts_hold(copy):
    assert contracts(copy) == {}


@pytest.mark.parametrize(("contract", "file", "line", "seen"), BREAKS)
def test_a_broken_wall_is_seen(broken, contract, file, line, seen):
    (report,) = (text for name, text in broken.items() if contract in name)
    assert seen in report


def test_every_contract_is_broken_here(broken):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {contract["name"] for contract in project["tool"]["importlinter"]["contracts"]}
    assert broken.keys() == names


def test_a_part_without_a_layer_is_seen(broken):
    (report,) = (text for name, text in broken.items() if "Every part stands" in name)
    assert "- workbench.leftovers" in report


def test_an_excuse_that_excuses_nothing_is_seen(copy):
    """So the list of imports that break a contract can only shrink."""
    file = copy / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    excuse = '"workbench.ui.look.theme -> workbench.storage.images",'
    assert "ignore_imports = [" in text
    file.write_text(text.replace("ignore_imports = [", f"ignore_imports = [{excuse}"))
    done = run(copy, "lint-imports", "--no-cache")
    assert done.returncode == 1
    assert "No matches for ignored import workbench.ui.look.theme" in done.stdout + done.stderr


@pytest.mark.parametrize(("file", "line", "name"), BANNED)
def test_a_banned_import_is_seen(copy, file, line, name):
    assert run(copy, "ruff", "check", "--select", "TID251", "workbench").returncode == 0
    break_in(copy, file, line)
    done = run(copy, "ruff", "check", "--select", "TID251", "workbench")
    assert done.returncode == 1
    assert f"`{name}` is banned" in done.stdout


def test_a_missing_annotation_a_complex_function_and_untidy_lines_are_seen(copy):
    branches = "".join(f"    if value == {i}:\n        return {i}\n" for i in range(9))
    (copy / "workbench/domain/worse.py").write_text(
        f'"""Breaks rules on purpose."""\n\n\ndef worse(value):\n{branches}    return  0\n'
    )
    found = run(copy, "ruff", "check", "workbench")
    assert found.returncode == 1
    assert "ANN001" in found.stdout
    assert "C901" in found.stdout
    assert run(copy, "ruff", "format", "--check", "workbench").returncode == 1


def test_what_is_not_used_private_or_overwritten_is_seen(copy):
    (copy / "workbench/domain/worse.py").write_text(
        '"""Breaks rules on purpose."""\n\n\n'
        "def worse(values: list[int], unused: int) -> str:\n"
        "    for value in values:\n        value = value + 1\n"
        "    return str._secret\n"
    )
    found = run(copy, "ruff", "check", "workbench")
    assert found.returncode == 1
    for rule in ("ARG001", "PLW2901", "SLF001"):
        assert rule in found.stdout
    (copy / "packaging").mkdir()
    dead = run(copy, "vulture")
    assert dead.returncode == 3
    assert "worse.py:4: unused function 'worse'" in dead.stdout


def test_a_wrong_type_is_seen(copy):
    file = copy / "workbench/domain/worse.py"
    file.write_text(
        '"""Breaks a rule on purpose."""\n\n\ndef half(n: int) -> int:\n    return n / 2\n'
    )
    done = run(copy, "mypy", "--follow-imports", "skip", str(file))
    assert done.returncode == 1
    assert "Incompatible return value" in done.stdout
