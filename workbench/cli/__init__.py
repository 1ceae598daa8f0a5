"""The workbench's deeds as commands: named here without cost, loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Sequence

# command → the module of this package that holds it, in the order of the work
COMMANDS: dict[str, str] = {
    "new": "projects",
    "import": "projects",
    "label": "labelling",
    "labels": "labelling",
    "undo": "projects",
    "redo": "projects",
    "similar": "similarity",
    "cluster": "clustering",
    "crop": "mouths",
    "split": "training",
    "methods": "methods",
    "transferability": "assessing",
    "layers": "layers",
    "relatedness": "assessing",
    "train": "training",
    "transfer": "transferring",
    "study": "studying",
    "runs": "runs",
    "evaluate": "runs",
    "explain": "using",
    "predict": "using",
    "export": "using",
    "doctor": "checking",
    "demo": "demonstration",
}


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line (without the program's name); the exit code comes back.

    0 done, 1 an error of the world, 2 wrong usage, 130 stopped by the user.
    """
    from workbench.cli.frame import dispatch

    return dispatch(list(arguments))
