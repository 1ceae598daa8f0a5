"""Command-line interface; each command's module is imported when it is called."""

from __future__ import annotations

# command → the module of this package that holds it, in the order of the work
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
