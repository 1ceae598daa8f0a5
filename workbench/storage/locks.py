"""Locks of projects: one process at a time has a project open for editing."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import msgspec
import psutil

from workbench.domain.errors import KnownError
from workbench.domain.text import Message, mark
from workbench.files import regular_bytes, write_whole

LOCK_FILE = "project.lock"
SHOWN_COMMAND = 80  # characters of a command line in an error


class Holder(msgspec.Struct, frozen=True):
    """The process that has a project open: process id, host name, start time ("" if unknown)."""

    pid: int
    host: str
    started: str


def this_process() -> Holder:
    """The current process as a lock holder."""
    return Holder(os.getpid(), platform.node(), process_started(os.getpid()) or "")


def process_started(pid: int) -> str | None:
    """Start time of process `pid` as a text, or None if there is no such process.

    Together with the id it identifies a process: ids are reused, but not within one clock tick.
    """
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None  # a zombie holds no lock
        created = process.create_time()
    except psutil.Error:  # no such process, or no access
        return None
    if sys.platform == "linux":  # clock ticks since boot: unaffected by clock changes
        return str(round((created - psutil.boot_time()) * os.sysconf("SC_CLK_TCK")))
    return repr(created)


def read_lock(folder: Path) -> Holder | None:
    """Return the running process that has locked the project in `folder`, or None."""
    try:
        holder = msgspec.json.decode(regular_bytes(folder / LOCK_FILE), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
    if holder.host != platform.node():
        return holder  # on another host: its process cannot be checked
    return holder if process_started(holder.pid) == holder.started else None


def write_lock(folder: Path) -> None:
    """Lock the project in `folder`, replacing any existing lock."""
    write_whole(folder / LOCK_FILE, msgspec.json.encode(this_process()), flush=False, shared=True)


def remove_lock(folder: Path) -> None:
    """Remove the project's lock if this process holds it."""
    if read_lock(folder) == this_process():
        (folder / LOCK_FILE).unlink(missing_ok=True)


def in_use(folder: Path, holder: Holder) -> KnownError:
    """Error for a project that `holder`, a window or a command, has open."""
    values = {"name": folder.name, "pid": holder.pid, "host": holder.host}
    if holder.host != platform.node():
        return KnownError(
            "{name} is in use by another program (process {pid} on {host}).",
            "Close it there first, or delete {lock} if that computer is no longer in use.",
            **values,
            lock=folder / LOCK_FILE,
        )
    command = _command_of(holder.pid)
    sentence = (
        mark("{name} is in use by another program: {command} (process {pid} on {host}).")
        if command
        else mark("{name} is in use by another program (process {pid} on {host}).")
    )
    return KnownError(
        Message(sentence, **values, command=command),
        "Close that program first, or wait until it has finished.",
    )


def _command_of(pid: int) -> str:
    """The beginning of the command line of process `pid`, without the folder of its program; "" if
    it is unknown."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return ""
    text = " ".join((os.path.basename(words[0]), *words[1:])) if words else ""
    return text if len(text) <= SHOWN_COMMAND else f"{text[:SHOWN_COMMAND]}…"
