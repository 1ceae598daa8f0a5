"""The computing device in plain words, found without loading anything: a label, not a promise."""

from __future__ import annotations

import os
import platform
import shutil
import sys

from PySide6.QtCore import QObject, QProcess, Signal


def processor_words() -> str:
    """What there is without an accelerator."""
    cores = os.cpu_count() or 1
    return f"CPU, {cores} core" + ("s" if cores != 1 else "")


class DeviceProbe(QObject):
    """Asks the driver's own tool for the accelerator's name, in a process of its own."""

    found = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None

    def start(self) -> None:
        """Emit `found` now, and again when an accelerator has answered."""
        if sys.platform == "darwin" and platform.machine() == "arm64":
            self.found.emit("Apple GPU, " + processor_words())
            return
        self.found.emit(processor_words())
        tool = shutil.which("nvidia-smi")
        if tool is None:
            return
        self._process = QProcess(self)
        self._process.finished.connect(self._answered)
        self._process.start(tool, ["--query-gpu=name,memory.total", "--format=csv,noheader"])

    def close(self) -> None:
        """End the question, answered or not."""
        if self._process is not None:
            self._process.finished.disconnect(self._answered)
            self._process.kill()
            self._process.waitForFinished(2000)
            self._process = None

    def _answered(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        words = describe(bytes(process.readAllStandardOutput().data()).decode(errors="replace"))
        process.deleteLater()
        if words:
            self.found.emit(words)


def describe(answer: str) -> str:
    """Devices as "NVIDIA H200, 140 GiB" from lines of "NVIDIA H200, 143771 MiB"; else nothing."""
    devices = []
    for line in answer.splitlines():
        name, comma, memory = line.rpartition(",")
        amount = memory.strip().removesuffix("MiB").strip()
        if comma and amount.isdigit():
            devices.append(f"{name.strip()}, {round(int(amount) / 1024)} GiB")
    if not devices:
        return ""
    return devices[0] if len(devices) == 1 else f"{len(devices)} × {devices[0]}"
