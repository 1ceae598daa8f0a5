"""The window and the commands reach the project by way of app: they read its parts, and write none.

mypy refuses to call what the protocols of `app/session.py` do not list.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.app import session as readers
from workbench.app.session import Session

ROOT = Path(__file__).resolve().parents[2] / "workbench"
BELOW = {  # which parts above app may not import what; the demo draws images of its results
    "ui": ("workbench.storage", "workbench.vision"),
    "cli": ("workbench.storage", "workbench.vision"),
    "demo": ("workbench.storage",),
}
WRITES = re.compile(
    r"INSERT |UPDATE |DELETE |REPLACE |\.transaction\(|\.edit\(|unlink|rmtree|write_whole|mkdir"
)


def past_app(root: Path) -> list[str]:
    """Uses of a session's store, and imports of what lies below app, in the parts above it."""
    found = []
    for part, below in BELOW.items():
        for path in sorted((root / part).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [f"{name}: {what}" for node in ast.walk(tree) for what in reached(node, below)]
    return found


def reached(node: ast.AST, below: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and node.attr == "store":
        yield ast.unparse(node)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if is_in(alias.name, below))
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name for name in names if is_in(name, below))


def is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def read_parts() -> dict[str, type]:
    """The parts of a session that may be read, each with its protocol."""
    tree = ast.parse(inspect.getsource(Session))
    return {
        node.target.attr: getattr(readers, node.annotation.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute)
        and isinstance(node.annotation, ast.Name)
        and hasattr(readers, node.annotation.id)
    }


def listed(protocol: type) -> list[str]:
    return [
        name for name, what in vars(protocol).items() if inspect.isfunction(what) and name[0] != "_"
    ]


def test_the_window_and_the_commands_reach_the_store_by_way_of_app():
    assert past_app(ROOT) == []


def test_every_part_is_typed_by_what_it_reads():
    protocols = {name for name in vars(readers) if name.endswith("Reader")}
    assert {protocol.__name__ for protocol in read_parts().values()} == protocols


@pytest.mark.parametrize("part", read_parts())
def test_no_method_that_is_listed_writes(project, part):
    stored = getattr(project, part)
    for name in listed(read_parts()[part]):
        source = inspect.getsource(getattr(type(stored), name))
        assert not WRITES.search(source), f"{part}.{name} writes"


@pytest.mark.parametrize(
    ("part", "method"),
    [("images", "remove"), ("runs", "update"), ("settings", "put"), ("clusterings", "forget")],
)
def test_a_method_that_writes_is_known_by_its_text(project, part, method):
    assert WRITES.search(inspect.getsource(getattr(type(getattr(project, part)), method)))


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("self._context.session.store.images.rows([1])", "self._context.session.store"),
        ("store = session.store", "session.store"),
        ("import workbench.storage.project", "workbench.storage.project"),
        ("from workbench import storage", "workbench.storage"),
    ],
)
@pytest.mark.parametrize("part", BELOW)
def test_a_way_past_app_is_seen(tmp_path, part, line, seen):
    path = tmp_path / part / "pages" / "page.py"
    path.parent.mkdir(parents=True)
    path.write_text(f"def show(session):\n    session.images.rows([1])\n    {line}\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "here.py").write_text(f"{line}\n")
    assert past_app(tmp_path) == [f"{part}/pages/page.py: {seen}"]


def test_pixels_are_seen_in_the_window_and_the_commands(tmp_path):
    for part in BELOW:
        (tmp_path / part).mkdir()
        (tmp_path / part / "here.py").write_text("from workbench.vision.mouths import Face\n")
    assert past_app(tmp_path) == [
        f"{part}/here.py: workbench.vision.mouths.Face" for part in ("ui", "cli")
    ]
