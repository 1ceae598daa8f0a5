"""Killed without warning: the labels are there, the project opens, the training resumes exactly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from safetensors import numpy as weights_file

from tests.fixtures.systems import posix
from tests.journeys.conftest import draw_vehicles
from workbench.domain.runs import WEIGHTS_FILE, RunStatus
from workbench.storage.project import Project

LABELLER = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from workbench.app.session import Session
from workbench.storage.project import Project
from workbench.ui.window.window import MainWindow
from PySide6.QtTest import QTest

app = QApplication(sys.argv[:1])
window = MainWindow(Session(Project.open(Path(sys.argv[1]))))
window.show()
window.go("views")
page = window.page("views")
for turn in range(100_000):
    for image in page.strip.ids().tolist():
        page.strip.set_current(image)
        key = "FBLR"[(image + turn) % 4]
        QTest.keyClick(page.strip, key)
        print(image, key, flush=True)
"""


def workbench(*words: str, check: bool = True) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=180,
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def new_project(tmp_path: Path) -> Path:
    workbench("new", str(tmp_path / "p"))
    photos = draw_vehicles(tmp_path / "photos")
    workbench("import", str(tmp_path / "p"), str(photos), "--category-from", "folder")
    return tmp_path / "p.workbench"


@posix
def test_while_labelling(tmp_path):
    """Every label whose key press was answered is in the project after kill -9."""
    folder = new_project(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LABELLER), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert process.stdout is not None
    output = [process.stdout.readline().split() for _ in range(75)]
    process.send_signal(signal.SIGKILL)
    output += [line.split() for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    process.wait()

    store = Project.open(folder)  # the dead window's lock is taken over
    words = {"F": "front", "B": "back", "L": "left", "R": "right"}
    wanted = {int(image): words[key] for image, key in output}
    found = store.labels.of_images(list(wanted), "view")
    store.close()
    last = int(output[-1][0]) % len(wanted) + 1  # the press that may have been under way
    wrong = {image for image in wanted if found.get(image) != (wanted[image],)}
    assert wrong <= {last}


@posix
def test_while_training(tmp_path):
    """A training whose window dies is paused; resumed, it ends with the weights of a whole one."""
    folder = new_project(tmp_path)
    settings = ["target=category", "backbone=simpleconv3", "epochs=30", "image_size=32"]
    words = ["train", str(folder), *(w for s in settings for w in ("--set", s))]
    whole = workbench(*words)["run"]

    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    killed = _wait_for_epoch(folder, whole)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    store = Project.open(folder)
    assert store.runs.get(killed).status is not RunStatus.FINISHED
    store.close()
    resumed = workbench("train", str(folder), "--resume", killed)
    assert resumed["run"] == killed
    assert resumed["status"] == "finished"
    first = weights_file.load_file(folder / "runs" / whole / WEIGHTS_FILE)
    second = weights_file.load_file(folder / "runs" / killed / WEIGHTS_FILE)
    assert all((first[name] == second[name]).all() for name in first)


def _wait_for_epoch(folder: Path, other: str) -> str:
    """The id of the run that is not `other`, as soon as it has finished three epochs."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for reports in (folder / "runs").glob("*/reports.jsonl"):
            epochs = reports.read_text().count('"report":"epoch"')
            if reports.parent.name != other and epochs >= 3:
                return reports.parent.name
        time.sleep(0.02)  # another process writes the file: there is no signal to wait for
    raise AssertionError("no training began")
