"""The command `demo`, and the window on its result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from workbench.cli.command import Output, Result, command, ensure_application
from workbench.cli.progress import carry_out
from workbench.demo.demo import demo_task
from workbench.domain.errors import ValueRefused
from workbench.domain.projects import SUFFIX


@command("demo", "workbench demo\nworkbench demo /tmp/demo --seeds 1 --no-window")
@click.argument(
    "folder", metavar="[DIR]", default="workbench-demo", type=click.Path(path_type=Path)
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Splits on which both are trained.",
)
@click.option("--no-window", is_flag=True, help="Do not open the window at the end.")
def demo_command(out: Output, folder: Path, seeds: int, no_window: bool) -> Result:
    """Run the whole workflow on drawn toy vehicles.

    Compares transfer with training from scratch. Writes projects, curves, confusion matrices, a
    wall of heatmaps and a table to DIR (workbench-demo), and opens the window on the result if
    there is a screen.
    """
    if folder.suffix == SUFFIX:
        raise ValueRefused("DIR", str(folder), "a folder that is not a project")
    ensure_application()
    done = carry_out(demo_task(folder, seeds))
    out.print(done.table.read_text(encoding="utf-8").rstrip())
    out.print(f"\ntransfer {done.transfer_top1:.1%}, from scratch {done.scratch_top1:.1%}")
    out.print(f"{done.project}  ({done.seconds:.0f} s)")
    if not (no_window or out.as_json) and has_screen():
        show_window(done.project)
    return done.as_json()


def has_screen() -> bool:
    """Return whether this process can show a window."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_window(project: Path) -> None:
    """Open the window on `project` in another process, and wait until it is closed."""
    frozen = bool(getattr(sys, "frozen", False))
    program = [sys.executable] if frozen else [sys.executable, "-m", "workbench"]
    subprocess.run([*program, str(project)], check=False)
