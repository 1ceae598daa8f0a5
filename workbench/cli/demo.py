"""The demo as a command, and the window on what it made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from workbench.cli.command import Output, Result, command, ensure_application
from workbench.cli.progress import carry_out
from workbench.demo.demo import demo_task


@command("demo", "workbench demo\nworkbench demo /tmp/demo --seeds 1 --no-window")
@click.argument(
    "folder", metavar="[DIR]", default="workbench-demo", type=click.Path(path_type=Path)
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--no-window", is_flag=True, help="Do not open the window on the result.")
def demo_command(out: Output, folder: Path, seeds: int, no_window: bool) -> Result:
    """Show the whole work on drawn toy vehicles: transfer against training from scratch.

    Makes projects, curves, a confusion matrix, a Grad-CAM wall and a table in DIR
    (workbench-demo), and opens the window on the result where there is a screen.
    """
    ensure_application()
    done = carry_out(demo_task(folder, seeds))
    out.say(done.table.read_text(encoding="utf-8").rstrip())
    out.say(f"\ntransfer {done.transfer_top1:.1%}, from scratch {done.scratch_top1:.1%}")
    out.say(f"{done.project}  ({done.seconds:.0f} s)")
    if not (no_window or out.as_json) and has_screen():
        show_window(done.project)
    return done.as_json()


def has_screen() -> bool:
    """Whether a window would be seen."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_window(project: Path) -> None:
    """The window on `project`, in a process of its own; returns when it was closed."""
    frozen = bool(getattr(sys, "frozen", False))
    program = [sys.executable] if frozen else [sys.executable, "-m", "workbench"]
    subprocess.run([*program, str(project)], check=False)
