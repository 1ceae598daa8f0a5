"""The shape of the code: who writes the store, what names and files exist, who imports whom.

Each rule is a function that lists what breaks it below a folder. It must list nothing of this code,
and what is broken on purpose in a folder of its own.
"""

import ast
import copy
import io
import re
import tokenize
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FILE_LINES = 500  # more needs a reason in the file's first comment
REASON = "# More than 500 lines: "
FUNCTION_LINES = 40
NAMELESS = {"utils", "common", "helpers", "core", "misc"}  # names without meaning

# The share of files that one other file alone imports, out of the same folder: pieces of that file
# rather than ideas of their own. Lower it when it has fallen; it must not rise.
FRAGMENTS = 0.125

# The methods of each part of a project that write.
WRITING = {
    "": {"edit"},
    "annotators": {"add_labels", "add_opinions", "ensure", "replace_labels"},
    "clusterings": {"forget", "keep"},
    "crops": {"add", "apply", "save"},
    "features": {"forget", "make_room", "remove"},
    "going_back": {"run"},
    "history": {"forget", "redo", "undo"},
    "images": {"add", "add_source", "put_back", "relink", "remove", "set_skipped"},
    "labels": {"assign", "assign_crops", "assign_each", "decide", "remove_set", "save_set"},
    "runs": {
        *("add_epoch", "create", "raise_memory", "remove", "save_predictions", "truncate_epochs"),
        "update",
    },
    "settings": {"push", "put"},
    "splits": {"delete", "make", "rename", "use"},
    "studies": {"put", "remove"},
    "thumbnails": {"put", "put_fingerprints"},
    "versions": {"add", "confirm", "remove", "rename"},
}
# Where `object` is the right type, and why.
ANY_VALUE = {
    "cli/command.py:_message_text": "msgspec calls it with what it cannot encode",
    "domain/errors.py": "a text is filled with any value, and any value can be refused",
    "domain/text.py": "a text is filled with any value",
    "domain/values.py:checked": "it is what checks the type",
    "learning/networks/models.py:explainable_layers.note": "a layer can return anything",
}
UNUSED_VALUE = {"Job", "Outcome", "Task"}  # generic types that are held without their value
WRITES = re.compile(
    r"INSERT |UPDATE |DELETE |REPLACE |\.transaction\(|\.edit\(|unlink|rmtree|_undo"
)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def files(root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.rglob("*.py")):
        yield path.relative_to(root).as_posix(), path


# sizes and names


def out_of_bounds(root: Path) -> list[str]:
    """What is too long, opens without a sentence, or is named nothing."""
    found = []
    for name, path in files(root):
        text = path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        if lines > FILE_LINES and not first_comment(text).startswith(REASON):
            found.append(f"{name}: {lines} lines, allowed {FILE_LINES}")
        if text and not ast.get_docstring(tree_of(path)):
            found.append(f"{name}: opens without saying why it exists")
        if NAMELESS & {path.stem, *Path(name).parts}:
            found.append(f"{name}: its name says nothing")
        found += [f"{name}: {what}" for what in long_functions(tree_of(path))]
    return found


def first_comment(text: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return next((token.string for token in tokens if token.type == tokenize.COMMENT), "")


def long_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{node.name} has {lines} lines, allowed {FUNCTION_LINES}"


def shared_class_names(root: Path) -> list[str]:
    """Names that two classes have."""
    places = defaultdict(list)
    for name, path in files(root):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    return [f"{name}: {', '.join(at)}" for name, at in sorted(places.items()) if len(at) > 1]


def untyped(root: Path) -> list[str]:
    """Where `object` stands for a type, and what `ANY_VALUE` names for nothing.

    What a callback returns is ignored and may be `object`, as may a parameter that is named as
    unused, and the value of a job that is held without it.
    """
    found = []
    for name, path in files(root):
        tree = _WithoutRightObjects().visit(copy.deepcopy(tree_of(path)))
        found += [(name, place) for place in objects(tree)]
    allowed = [set(ANY_VALUE) & {name, f"{name}:{place}"} for name, place in found]
    wrong = [f"{name}:{place}" for (name, place), by in zip(found, allowed, strict=True) if not by]
    return wrong + sorted(set(ANY_VALUE).difference(*allowed))


def objects(node: ast.AST, place: str = "") -> Iterator[str]:
    """The function or class of each `object` that stands for a type, "" outside of all."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}".lstrip(".")
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and child.id == "object":
            yield place
        else:
            yield from objects(child, place)


class _WithoutRightObjects(ast.NodeTransformer):
    """Replaces each `object` that is right."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg) if node.arg.startswith("_") else self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        match node:
            case ast.Subscript(value=ast.Name(id=kind)) if kind in UNUSED_VALUE:
                node.slice = _unless_object(node.slice)
            case ast.Subscript(value=ast.Name(id="Callable"), slice=ast.Tuple(elts=[given, last])):
                node.slice = ast.Tuple([given, _unless_object(last)], ast.Load())
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.args = [_unless_object(given) for given in node.args]  # a signal of any value
        return self.generic_visit(node)


def _unless_object(node: ast.expr) -> ast.expr:
    plain = isinstance(node, ast.Name) and node.id == "object"
    return ast.Constant(None) if plain else node


# imports


def imports(root: Path) -> dict[str, set[str]]:
    """Which files of the package `root` each one imports, be it for its annotations alone."""
    modules = {}
    for name, _ in files(root):
        parts = [root.name, *Path(name).with_suffix("").parts]
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = name
    found = {}
    for name, path in files(root):
        targets = {modules[each] for each in imported(tree_of(path), modules)}
        found[name] = targets - {name}
    return found


def imported(tree: ast.Module, modules: Mapping[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if (which := inner if inner in modules else node.module) in modules:
                    yield which


def circles(root: Path) -> list[str]:
    """Files that import each other by way of others, a line for each circle."""
    graph = imports(root)
    reached = {name: reachable(graph, name) for name in graph}
    together = {
        frozenset(other for other in graph if other in reached[name] and name in reached[other])
        for name in graph
        if name in reached[name]
    }
    return sorted(" <-> ".join(sorted(circle)) for circle in together)


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += graph[name]
    return found


def fragments(root: Path) -> list[str]:
    """Files that exactly one other imports, which lies in the same folder."""
    users = defaultdict(list)
    for name, targets in imports(root).items():
        for target in targets:
            users[target].append(name)
    return [
        name
        for name, used_by in sorted(users.items())
        if not name.endswith("__init__.py")
        and len(used_by) == 1
        and Path(used_by[0]).parent == Path(name).parent
    ]


def importing_tests(root: Path) -> list[str]:
    """Imports of the tests; what a program is built with must not need them."""
    found = []
    for name, path in files(root):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            found += [f"{name}: {each}" for each in names if each.split(".")[0] == "tests"]
    return found


# who writes


def written_past_app(root: Path) -> set[str]:
    """Calls from ui, cli and demo that write the store."""
    found = set()
    for name, path in files(root):
        if name.startswith(("ui/", "cli/", "demo/")):
            tree = tree_of(path)
            known = aliases(tree)
            calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
            chains = (in_store(call, known) for call in calls)
            found |= {f"{name}: {chain}" for chain in chains if chain and writes(chain)}
    return found


def writes(chain: str) -> bool:
    part, _, method = chain.rpartition(".")
    return method in WRITING.get(part, ())


def aliases(tree: ast.Module) -> dict[str, str]:
    """Names that stand for the store or a part of it: `images = session.store.images`."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=False))
                for left, right in pairs:
                    chain = in_store(right, {})
                    if isinstance(left, ast.Name) and chain is not None:
                        found[left.id] = chain
    return found


def in_store(node: ast.expr, known: Mapping[str, str]) -> str | None:
    """What comes after the store in `session.store.images.remove`: "images.remove"; else None."""
    words: list[str] = []
    while isinstance(node, ast.Attribute) and node.attr not in ("store", "_store"):
        words.append(node.attr)
        node = node.value
    if isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and node.id == "store"):
        return ".".join(reversed(words))
    if isinstance(node, ast.Name) and node.id in known:
        return ".".join([*filter(None, [known[node.id]]), *reversed(words)])
    return None


# of this code


@pytest.mark.parametrize("folder", ["workbench", "packaging"])
def test_files_and_functions_are_within_their_bounds(folder):
    assert out_of_bounds(ROOT / folder) == []


def test_no_two_classes_share_a_name():
    assert shared_class_names(ROOT / "workbench") == []


def test_object_stands_for_no_known_type():
    assert untyped(ROOT / "workbench") == []


def test_no_files_import_each_other_in_a_circle():
    assert circles(ROOT / "workbench") == []


def test_few_files_are_fragments_of_another():
    found = fragments(ROOT / "workbench")
    share = len(found) / len(list(files(ROOT / "workbench")))
    assert share <= FRAGMENTS, "\n".join(found)
    assert share > FRAGMENTS - 0.01, f"only {share:.3f} are left: lower FRAGMENTS"


def test_the_packaging_does_not_need_the_tests():
    assert importing_tests(ROOT / "packaging") == []


def test_the_store_is_written_by_app_alone():
    assert written_past_app(ROOT / "workbench") == set()


def test_every_method_that_writes_is_known(project):
    """A method whose text has SQL that writes, or that removes a file, is among those above."""
    for part, known in WRITING.items():
        kind = type(getattr(project, part) if part else project)
        (path,) = (path for _, path in files(ROOT / "workbench/storage") if defines(path, kind))
        nodes = [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.ClassDef)]
        (body,) = (node.body for node in nodes if node.name == kind.__name__)
        methods = {n.name: ast.unparse(n) for n in body if isinstance(n, ast.FunctionDef)}
        assert known <= methods.keys()
        public = {name: text for name, text in methods.items() if name[0] != "_" and part}
        assert {name for name, text in public.items() if WRITES.search(text)} <= known


def defines(path: Path, kind: type) -> bool:
    return kind.__module__.endswith(f".storage.{path.stem}")


def test_every_name_that_counts_as_used_is_still_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {name for name in project["tool"]["vulture"]["ignore_names"] if "*" not in name}
    words = set()
    for _, path in files(ROOT / "workbench"):
        words |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    assert names - words == set()


# broken on purpose


@pytest.fixture
def write(tmp_path) -> Callable[[str, str], None]:
    def write_file(name: str, text: str) -> None:
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write_file


def test_what_is_too_long_or_nameless_is_seen(tmp_path, write):
    write("utils.py", '"""Why."""\n')
    write("mute.py", "value = 1\n")
    write("long.py", '"""Why."""\n# A comment.\n' + "value = 1\n" * 500)
    write("reasoned.py", f'"""Why."""\n{REASON}one idea.\n' + "value = 1\n" * 500)
    write("deep.py", '"""Why."""\n\n\ndef deep() -> None:\n' + "    value = 1\n" * 40)
    assert out_of_bounds(tmp_path) == [
        "code/deep.py: deep has 41 lines, allowed 40",
        "code/long.py: 502 lines, allowed 500",
        "code/mute.py: opens without saying why it exists",
        "code/utils.py: its name says nothing",
    ]


def test_a_duplicate_class_name_is_found(tmp_path, write):
    write("one.py", "class Face:\n    pass\n")
    write("two.py", "class Face:\n    pass\nclass Mouth:\n    pass\n")
    assert shared_class_names(tmp_path / "code") == ["Face: one.py, two.py"]


def test_an_object_in_place_of_a_type_is_seen(tmp_path, write):
    write(
        "jobs.py",
        """
Keys = Mapping[str, object]
JOB: Job[object] | None = None
changed = Signal(object)
class Queue:
    def report(self, _event: object, given: object) -> Callable[[str], object]: ...
    def run(self, then: Callable[[object], None]) -> Generator[object | None, None, int]: ...
""",
    )
    found = untyped(tmp_path / "code")
    assert found[:4] == ["jobs.py:", "jobs.py:Queue.report", *["jobs.py:Queue.run"] * 2]
    assert found[4:] == sorted(ANY_VALUE), "those are not in the folder"


def test_a_circle_by_way_of_a_third_file_and_of_annotations_is_seen(tmp_path, write):
    write("one.py", "from code.two import x\n")
    write("two.py", "import code.below.three\n")
    write("below/three.py", "if TYPE_CHECKING:\n    from code import one\n")
    write("four.py", "def late():\n    import code.one\n")
    assert circles(tmp_path / "code") == ["below/three.py <-> one.py <-> two.py"]


def test_a_fragment_is_seen(tmp_path, write):
    write("page.py", "import code.piece, code.idea, code.below.part\n")
    write("other.py", "import code.idea\n")
    write("piece.py", "")
    write("idea.py", "")
    write("below/part.py", "")
    write("below/__init__.py", "")
    assert fragments(tmp_path / "code") == ["piece.py"]


def test_an_import_of_the_tests_is_seen(tmp_path, write):
    write("build.py", "from tests.fixtures import tiny_runs\nimport tests.bench, testing\n")
    assert importing_tests(tmp_path / "code") == [
        "build.py: tests.fixtures",
        "build.py: tests.bench",
    ]


def test_a_write_past_app_is_seen(tmp_path, write):
    write("app/here.py", "session.store.images.remove([1])\n")
    write(
        "ui/page.py",
        "self._context.session.store.images.remove([1])\n"
        "store, runs = session.store, session.store.runs\n"
        "with store.edit('Label'):\n    runs.update('1', name='2')\n"
        "store.images.rows([1])\nelsewhere.images.remove([1])\n",
    )
    seen = Counter(written_past_app(tmp_path / "code"))
    assert seen == Counter(
        ["ui/page.py: edit", "ui/page.py: images.remove", "ui/page.py: runs.update"]
    )
