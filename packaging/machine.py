"""Properties of this computer: an NVIDIA driver, and Qt's system libraries."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Shared libraries that Qt's plugins need on Linux, with their Debian packages.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}


def nvidia_driver() -> bool:
    """Return whether an NVIDIA driver is installed; without one, no CUDA build is downloaded."""
    if sys.platform == "darwin":
        return False
    if sys.platform == "win32":
        root = os.environ.get("SYSTEMROOT", r"C:\Windows")
        return Path(root, "System32", "nvcuda.dll").exists()
    if (
        Path("/proc/driver/nvidia/version").exists()
        or Path("/usr/lib/wsl/lib/libcuda.so.1").exists()
    ):
        return True
    tool = shutil.which("nvidia-smi")
    return tool is not None and subprocess.run([tool, "-L"], capture_output=True).returncode == 0


def missing_packages(libraries: dict[str, str] = QT_LIBRARIES) -> list[str]:
    """Debian packages of the libraries that cannot be loaded; [] if this is not Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return sorted({package for name, package in libraries.items() if not _loads(name)})


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def apt_command(packages: list[str]) -> list[str]:
    """The command that installs `packages` on Debian and Ubuntu."""
    return ["apt-get", "install", "-y", "--no-install-recommends", *packages]


def can_install() -> bool:
    """Return whether system packages can be installed: as root, with apt-get."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: list[str], why: str) -> bool:
    """Install Debian packages as root, or else print the command that does.

    Returns whether they are installed; `why` is what needs them.
    """
    if not packages:
        return True
    if not can_install():
        how = " ".join(["sudo", *apt_command(packages)]) if shutil.which("apt-get") else ""
        print(f"{why} needs packages that are missing: {', '.join(packages)}.", flush=True)
        print(f"Install them: {how}" if how else "Install the packages of your system.")
        return False
    print(f"{why} needs packages; installing {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update"], env=environment, stdout=subprocess.DEVNULL)
    done = subprocess.run(apt_command(packages), env=environment, stdout=subprocess.DEVNULL)
    if done.returncode:
        print(f"Failed: {' '.join(apt_command(packages))}", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    print(*missing_packages())
