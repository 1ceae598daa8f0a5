"""Public classes, functions and methods of the program have a docstring, or inherit one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
from PySide6 import QtCore, QtGui, QtWidgets

ROOT = Path(__file__).resolve().parents[2] / "workbench"
LIBRARIES = (QtWidgets, QtGui, QtCore, click)
# PyTorch is slow to import: what its base classes leave to be written.
TORCH = {"Module": {"forward"}, "Function": {"forward", "backward"}, "Optimizer": {"step"}}


@dataclass
class Class:
    """A class: the names of its bases, and its methods with whether they have a docstring."""

    bases: list[str]
    methods: dict[str, bool] = field(default_factory=dict)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def base_name(node: ast.expr) -> str:
    """A base class as written, without parameters: `nn.Module`, or `Task` of `Task[T]`."""
    return ast.unparse(node.value if isinstance(node, ast.Subscript) else node)


def classes_of(tree: ast.Module) -> Iterator[tuple[str, Class]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found = Class([base_name(base) for base in node.bases])
            for item in node.body:
                if isinstance(item, Function):
                    found.methods[item.name] = ast.get_docstring(item) is not None
            yield node.name, found


def inherits(classes: Mapping[str, Class], base: str, method: str) -> bool:
    """Whether a base class, or one of its bases, documents the method or is of a library."""
    if base not in classes:
        name = base.rpartition(".")[2]
        return method in TORCH.get(name, ()) or any(
            hasattr(getattr(library, name, None), method) for library in LIBRARIES
        )
    known = classes[base]
    return known.methods.get(method, False) or any(
        inherits(classes, further, method) for further in known.bases
    )


def public(body: list[ast.stmt]) -> Iterator[ast.ClassDef | Function]:
    for node in body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node


def undocumented(tree: ast.Module, classes: Mapping[str, Class]) -> Iterator[str]:
    """Names of the public definitions of a module without a docstring."""
    for node in public(tree.body):
        if ast.get_docstring(node) is None:
            yield node.name
        for item in public(node.body) if isinstance(node, ast.ClassDef) else ():
            bases = classes[node.name].bases
            if ast.get_docstring(item) is None and not any(
                inherits(classes, base, item.name) for base in bases
            ):
                yield f"{node.name}.{item.name}"


def test_public_definitions_have_docstrings() -> None:
    trees = dict(modules())
    classes = {name: found for tree in trees.values() for name, found in classes_of(tree)}
    missing = [
        f"{path}: {name}" for path, tree in trees.items() for name in undocumented(tree, classes)
    ]
    assert missing == []


SOURCE = '''
class Page(QWidget):
    def show_image(self):
        """Show an image."""

    def clear(self): ...

    def paintEvent(self, event): ...

    def _hidden(self): ...


class ViewsPage(Page):
    """The page."""

    def show_image(self): ...

    def clear(self): ...

    @property
    def count(self): ...


def load(): ...


def _load(): ...
'''


def test_missing_docstrings_are_found_and_overrides_need_none() -> None:
    tree = ast.parse(SOURCE)
    expected = ["Page", "Page.clear", "ViewsPage.clear", "ViewsPage.count", "load"]
    assert list(undocumented(tree, dict(classes_of(tree)))) == expected
