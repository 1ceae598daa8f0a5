"""Entry point: the window, one command, or the learning program."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the window, a command or the learning program; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["learning"]:
        from workbench.learning.__main__ import main as learn

        return learn(given[1:])
    multiprocessing.freeze_support()
    if opens_window(given):
        from workbench.ui.application import run_window

        return run_window(Path(given[0]) if given else None)
    from workbench.cli.command import run

    return run(given)


def opens_window(given: Sequence[str]) -> bool:
    """Return True for no argument, or one that names a project rather than a command."""
    from workbench.app.project_folders import find_project
    from workbench.cli import COMMANDS
    from workbench.domain.projects import SUFFIX

    if not given:
        return True
    if len(given) > 1 or given[0] in COMMANDS or given[0].startswith("-"):
        return False
    if not given[0].strip():
        return False  # an empty path would be the current folder
    path = Path(given[0])
    return (
        path.suffix == SUFFIX
        or path.is_dir()
        or os.sep in given[0]
        or find_project(path) is not None
    )


if __name__ == "__main__":
    sys.exit(main())
