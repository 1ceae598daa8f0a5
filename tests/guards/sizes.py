"""The bounds on files and functions, as a check that can be turned on any folder of code."""

import ast
from pathlib import Path

FILE_LINES = 500  # more needs a reason in the first comment: then name the file here
REASONED: set[str] = set()
FUNCTION_LINES = 40
NAMELESS = {"utils", "common", "helpers", "core", "misc"}  # names that say nothing


def complaints(root: Path) -> list[str]:
    """Everything under `root` that is too long, opens without a sentence, or is named nothing."""
    found = []
    for path in sorted(root.rglob("*.py")):
        found += _of_file(path, path.relative_to(root).as_posix())
    return found


def _of_file(path: Path, name: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    found = []
    if (lines := len(text.splitlines())) > FILE_LINES and name not in REASONED:
        found.append(f"{name}: {lines} lines, allowed {FILE_LINES}")
    if text and not ast.get_docstring(tree):
        found.append(f"{name}: opens without saying why it exists")
    if NAMELESS & {path.stem, *(part for part in Path(name).parts)}:
        found.append(f"{name}: its name says nothing")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{name}: {node.name} has {lines} lines, allowed {FUNCTION_LINES}")
    return found
