"""Time from the start of a process to the first visible frame of the window.

Run `python tests/bench/startup.py`. Bound: 1.0 s, without torch in the process. Compared with an
empty QWidget in a process of its own, the least that any such program takes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WINDOW = """
import sys, time
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from workbench.ui import application
class Measured(application.Workbench):
    def switch(self, folder, new):
        done = super().switch(folder, new)
        QTimer.singleShot(0, self._report)
        return done
    def _report(self):
        self.window.grab()
        heavy = sorted({"torch", "pyqtgraph", "qtawesome", "cv2"} & set(sys.modules))
        print(time.time(), ",".join(heavy) or "-", flush=True)
        QApplication.quit()
application.Workbench = Measured
application.run_window(Path(sys.argv[1]))
"""
EMPTY = """
import time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
application = QApplication([])
widget = QWidget()
widget.show()
def reported():
    widget.grab()
    print(time.time(), "-", flush=True)
    application.quit()
QTimer.singleShot(0, reported)
application.exec()
"""


def seconds(script: str, *arguments: str) -> tuple[float, str]:
    """Seconds from the start of a process to its first frame, and the heavy modules it loaded."""
    home = {"XDG_CONFIG_HOME": arguments[0]} if arguments else {}
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", **home}
    began = time.time()
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    shown, modules = ran.stdout.split()
    return float(shown) - began, modules


def main() -> None:
    """Print the results and the ratio."""
    from workbench.storage.project import Project

    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "bench")
        project.close()
        window = [seconds(WINDOW, str(project.folder)) for _ in range(5)]
    empty = [seconds(EMPTY)[0] for _ in range(5)]
    ours, bare = statistics.median(s for s, _ in window), statistics.median(empty)
    print(f"window visible      {ours:.2f} s (bound 1.00); heavy modules loaded: {window[0][1]}")
    print(f"an empty QWidget    {bare:.2f} s")
    print(f"ratio               {ours / bare:.1f}")


if __name__ == "__main__":
    main()
