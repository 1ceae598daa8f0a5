"""Name of the computing device for display, found without loading torch; trainings check again."""

from __future__ import annotations

import os
import platform
import shutil
import sys

from PySide6.QtCore import QObject, QProcess, Signal

from workbench.domain.text import Message, counted

QUERY = ("--query-gpu=name,memory.total", "--format=csv,noheader")  # arguments of nvidia-smi


def processor() -> Message:
    """Name of the processor, the device without an accelerator."""
    return counted(os.cpu_count() or 1, "CPU, {n} core", "CPU, {n} cores")


def apple_gpu() -> Message | None:
    """Name of the device of a Mac with an Apple GPU; None on other machines."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Message("Apple GPU, {processor}", processor=processor())
    return None


class DeviceProbe(QObject):
    """Finds the accelerator's name with `nvidia-smi`, in a separate process.

    `found` carries the name: a `Message`, or text.
    """

    found = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None

    def start(self) -> None:
        """Emit `found` immediately, and again when an accelerator was found."""
        if gpu := apple_gpu():
            self.found.emit(gpu)
            return
        self.found.emit(processor())
        tool = shutil.which("nvidia-smi")
        if tool is None:
            return
        self._process = QProcess(self)
        self._process.finished.connect(self._finish)
        self._process.start(tool, list(QUERY))

    def close(self) -> None:
        """Cancel a running query."""
        if self._process is not None:
            self._process.finished.disconnect(self._finish)
            self._process.kill()
            self._process.waitForFinished(2000)
            self._process = None

    def _finish(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        name = describe(bytes(process.readAllStandardOutput().data()).decode(errors="replace"))
        process.deleteLater()
        if name:
            self.found.emit(name)


def describe(output: str) -> str:
    """Names such as "NVIDIA H200, 140 GiB" from lines such as "NVIDIA H200, 143771 MiB"; "" if
    there is no device."""
    devices = []
    for line in output.splitlines():
        name, comma, memory = line.rpartition(",")
        amount = memory.strip().removesuffix("MiB").strip()
        if comma and amount.isdigit():
            devices.append(f"{name.strip()}, {round(int(amount) / 1024)} GiB")
    if not devices:
        return ""
    return devices[0] if len(devices) == 1 else f"{len(devices)} × {devices[0]}"
