"""The window's process never loads the learning libraries, whatever page is shown."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ("torch", "torchvision", "captum", "onnx", "onnxruntime", "workbench.learning")

IMPORT_ALL = """
import importlib, pkgutil, sys
import workbench.app, workbench.ui, workbench.cli
for package in (workbench.app, workbench.ui, workbench.cli):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print("\\n".join(sorted(sys.modules)))
"""


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_no_module_of_the_window_or_the_commands_loads_torch():
    loaded = modules_after(IMPORT_ALL)
    assert "workbench.ui.window.window" in loaded
    assert loaded.isdisjoint(FOREIGN)


def test_what_opens_first_does_not_load_the_charts():
    loaded = modules_after(
        "import sys, workbench.ui.application, workbench.ui.window.window\n"
        'print("\\n".join(sorted(sys.modules)))'
    )
    assert loaded.isdisjoint((*FOREIGN, "pyqtgraph", "scipy", "matplotlib"))
