"""Each wall between the parts, broken once in a copy, makes its command fail and say which."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

BREAKS = {
    "a layer knows only those below": ("domain/geometry.py", "import workbench.vision.charts"),
    "Every part stands in its layer": ("leftovers.py", '"""A part that has no layer."""'),
    "Nobody imports learning": ("ui/look/theme.py", "import workbench.learning.networks.tv"),
    "Learning knows vision and domain": (
        "learning/networks/tv.py",
        "import workbench.storage.project",
    ),
    "SQL lives in storage": ("app/jobs.py", "import sqlite3"),
    "Pixels live in vision": ("learning/networks/tv.py", "import cv2"),
    "Networks live in learning": ("vision/charts.py", "import torch"),
    "Qt lives in app and ui": ("storage/project.py", "import PySide6.QtCore"),
    "What is drawn lives in ui": ("app/jobs.py", "import pyqtgraph"),
    "Commands live in cli": ("app/jobs.py", "import click"),
    "No two neighbours import each other": ("domain/geometry.py", "import workbench.domain.crops"),
}

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


@pytest.fixture
def copy(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workbench", tmp_path / "workbench", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    tool = str(BIN / command[0])
    environment = {**os.environ, "PYTHONPATH": str(copy), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [tool, *command[1:]], cwd=copy, env=environment, capture_output=True, text=True
    )


def break_in(copy: Path, file: str, line: str) -> None:
    """Put `line` into a file of the copy, below its docstring and its future import."""
    path = copy / "workbench" / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    head, mark, rest = text.partition("from __future__ import annotations\n")
    path.write_text(f"{head}{mark}{line}\n{rest}" if mark else f"{text}\n{line}\n")


def test_the_walls_stand(copy):
    done = run(copy, "lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout
    assert "BROKEN" not in done.stdout


@pytest.mark.parametrize("contract", BREAKS)
def test_a_broken_wall_is_seen(copy, contract):
    break_in(copy, *BREAKS[contract])
    done = run(copy, "lint-imports", "--no-cache")
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if "BROKEN" in line]
    assert any(contract in line for line in broken), done.stdout


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


def test_a_wrong_type_is_seen(copy):
    file = copy / "workbench/domain/worse.py"
    file.write_text(
        '"""Breaks a rule on purpose."""\n\n\ndef half(n: int) -> int:\n    return n / 2\n'
    )
    done = run(copy, "mypy", "--follow-imports", "skip", str(file))
    assert done.returncode == 1
    assert "Incompatible return value" in done.stdout
