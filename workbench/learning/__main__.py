"""Command line of the learning program: `python -m workbench.learning RUN_FOLDER [--controlled]
[--trial]`, or `--serve` to answer requests for explanations and predictions."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.learning.protocol.control import Control
from workbench.signals import deliver, held_back

# read by OpenMP when torch is loaded: waiting threads sleep instead of spinning, which
# would slow a training many times whenever anything else uses a core
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# options for request folders, and their help texts
FOLDER_REQUESTS = {
    "assess": "score starts",
    "relate": "compare domains",
    "layers": "score every stage",
    "features": "add to a feature index",
    "cluster": "group images without labels",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a training, a trial, a folder request or the server. Return 0 on success (also when
    paused or stopped) and 1 on failure."""
    with held_back():
        options = _options(arguments)
        control = None
        if not options.specs and not options.serve:
            control = Control()
            control.handle_signals()  # before torch is imported, which takes seconds
    deliver()
    return _run(options, control)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workbench.learning", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="RUN_FOLDER")
    parser.add_argument(
        "--controlled",
        action="store_true",
        help="read requests from stdin: pause, stop; end of stdin pauses",
    )
    parser.add_argument(
        "--trial", action="store_true", help="run a few steps and report time and memory"
    )
    for name, words in FOLDER_REQUESTS.items():
        parser.add_argument(
            f"--{name}", action="store_true", help=f"{words}: RUN_FOLDER is a request folder"
        )
    parser.add_argument("--serve", action="store_true", help="answer requests on stdin")
    parser.add_argument("--specs", action="store_true", help="list methods, penalties and heads")
    options = parser.parse_args(arguments)
    if options.folder is None and not options.specs and not options.serve:
        parser.error("a run folder is needed")
    return options


def _run(options: argparse.Namespace, control: Control | None) -> int:
    if options.specs:
        from workbench.learning.questions.specs import main as specs

        return specs()
    if control is None:
        from workbench.learning.serving.serve import main as serve

        return serve()
    for name in FOLDER_REQUESTS:
        if getattr(options, name):
            from workbench.learning.requests import run_folder_request

            return run_folder_request(name, options.folder, control)
    return _train(options.folder, control, options.controlled, options.trial)


def _train(folder: Path, control: Control, controlled: bool, trial: bool) -> int:
    from workbench.learning.loop.allocator import keep_memory

    keep_memory()
    from workbench.learning.protocol.failures import error_report
    from workbench.learning.protocol.reporting import Reporter

    if controlled:
        control.listen()
    is_main = os.environ.get("RANK", "0") == "0"  # among torchrun's processes
    known = folder.is_dir() and not trial and is_main
    reporter = Reporter(folder if known else None, stdout=is_main)
    control.on_wait = reporter.report_waiting
    try:
        if trial:
            from workbench.learning.loop.trial import try_run

            try_run(folder, reporter)
        else:
            from workbench.learning.loop.training import Training

            Training(folder, reporter, control).run()
    except Exception as error:
        reporter(error_report(error))
        return 1
    finally:
        reporter.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
