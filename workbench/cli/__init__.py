"""The command line; the module of a command is imported when the command is called."""

from __future__ import annotations

# command → its module in this package; --help lists them in this order, that of the workflow
COMMANDS: dict[str, str] = {
    "new": "projects",
    "import": "projects",
    "label": "labels",
    "labels": "labels",
    "undo": "projects",
    "redo": "projects",
    "similar": "similar",
    "cluster": "groups",
    "crop": "mouths",
    "split": "train",
    "methods": "methods",
    "transferability": "transfer",
    "layers": "transfer",
    "relatedness": "transfer",
    "train": "train",
    "transfer": "transfer",
    "study": "studies",
    "runs": "runs",
    "evaluate": "runs",
    "explain": "using",
    "predict": "using",
    "export": "using",
    "doctor": "doctor",
    "demo": "demo",
}
