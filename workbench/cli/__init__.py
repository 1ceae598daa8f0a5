"""The command line; the module of a command is imported when the command is called."""

from __future__ import annotations

# command → its module in this package; --help lists them in this order, that of the workflow
COMMANDS: dict[str, str] = {
    "new": "projects",
    "import": "projects",
    "imports": "imports",
    "label": "labels",
    "labels": "labels",
    "annotators": "annotators",
    "merge": "annotators",
    "undo": "projects",
    "redo": "projects",
    "similar": "similar",
    "cluster": "groups",
    "crop": "mouths",
    "split": "splits",
    "leakage": "splits",
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
    "versions": "versions",
    "restore": "projects",
    "doctor": "doctor",
    "demo": "demo",
}
