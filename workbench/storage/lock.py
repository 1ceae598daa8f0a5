"""One program per project: a lock file that says who holds it, and is seen through when stale."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import msgspec

LOCK_FILE = "project.lock"


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a project: its id, its computer, and when it started ("" unknown)."""

    pid: int
    host: str
    started: str


def this_process() -> Holder:
    """The holder that this process is."""
    return Holder(os.getpid(), platform.node(), process_started(os.getpid()) or "")


def process_started(pid: int) -> str | None:
    """A mark of the moment process `pid` started, or None when no such process lives. Together
    with the id it names one process: ids are used again, starts at the same tick are not."""
    if sys.platform == "win32":
        return _started_windows(pid)
    if Path("/proc/self/stat").exists():
        return _started_linux(Path(f"/proc/{pid}/stat"))
    ps = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    said = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip()
    return said.partition(" ")[2].strip() if said and not said.startswith("Z") else None


def _started_linux(stat: Path) -> str | None:
    try:
        fields = stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]  # a zombie holds nothing any more


def _started_windows(pid: int) -> str | None:
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = wintypes.HANDLE
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return None
    try:
        times = [wintypes.FILETIME() for _ in range(4)]
        code = wintypes.DWORD()
        kernel.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code))
        known = kernel.GetProcessTimes(wintypes.HANDLE(handle), *map(ctypes.byref, times))
        alive = code.value == 259  # STILL_ACTIVE
        created = f"{times[0].dwHighDateTime}.{times[0].dwLowDateTime}"
        return created if known and alive else None
    finally:
        kernel.CloseHandle(wintypes.HANDLE(handle))


def read_lock(folder: Path) -> Holder | None:
    """Who holds the project in `folder` and lives, or None (no lock, or a dead one's)."""
    try:
        holder = msgspec.json.decode((folder / LOCK_FILE).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
    if holder.host != platform.node():
        return holder  # nobody here can tell whether it lives
    return holder if process_started(holder.pid) == holder.started else None


def write_lock(folder: Path) -> None:
    """Hold the project in `folder`, in place of whoever held it before."""
    new = folder / f"{LOCK_FILE}.{os.getpid()}"
    new.write_bytes(msgspec.json.encode(this_process()))
    os.replace(new, folder / LOCK_FILE)


def remove_lock(folder: Path) -> None:
    """Let the project go, if this process holds it."""
    if read_lock(folder) == this_process():
        (folder / LOCK_FILE).unlink(missing_ok=True)
