"""The test files nearest to a place in a module, found by what imports what and by common words."""

from __future__ import annotations

import ast
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

_PASSED_OVER = {"build", "dist", "node_modules"}
REACH = 2  # imports from a test to the module: its own, or by way of one other module
FEW, FAR = 2, 6  # where fewer tests than FEW are that near, those up to FAR imports away count too
FOCUS = 5  # how much more the words of the place count than those of the rest of its module

Words = Counter[str]


class Tree:
    """The Python files under a folder and their imports; pyproject.toml lists which are tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, str] = {}  # of each file, relative to the root
        for path in python_files(root):
            file = path.relative_to(root).as_posix()
            module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            self._modules[file] = module

    def is_test(self, file: str) -> bool:
        """Whether the file is a test or stands among tests."""
        folders = self._options.get("testpaths", ["tests"])
        return any(file.startswith(folder.rstrip("/") + "/") for folder in folders)

    def sources(self) -> list[str]:
        """The files of packages, which mutants are made of."""
        return [
            file
            for file in sorted(self._modules)
            if not self.is_test(file) and (self.root / file).with_name("__init__.py").exists()
        ]

    def nearest(self, file: str, limit: int, focus: str = "") -> list[str]:
        """At most `limit` test files: those named after the module, those that import it, those
        one step from it or with a helper that imports it; of equals, those with the most words in
        common with it, above all with `focus`, a piece of its text."""
        distances, helped = self._distances(file)
        tests = [t for t in self._tests if t in distances or self._named_after(t, file)]
        steps = {test: distances.get(test, FAR) + (test in helped) for test in tests}
        words = _words(self._text(file)) + Counter(
            {word: FOCUS * count for word, count in _words(focus).items()}
        )

        def rank(test: str) -> tuple[bool, int, float]:
            near = min(steps[test], REACH)
            return not self._named_after(test, file), near, -self._likeness(test, words)

        near = [t for t in tests if steps[t] <= REACH or self._named_after(t, file)]
        if len([t for t in near if t not in helped]) < FEW and 1 not in steps.values():
            near = tests
        return sorted(near, key=rank)[:limit]

    @cached_property
    def _options(self) -> dict[str, list[str]]:
        project = self.root / "pyproject.toml"
        read = tomllib.loads(project.read_text(encoding="utf-8")) if project.exists() else {}
        options: dict[str, list[str]] = (
            read.get("tool", {}).get("pytest", {}).get("ini_options", {})
        )
        return options

    @cached_property
    def _tests(self) -> list[str]:
        return [f for f in self._modules if self.is_test(f) and Path(f).name.startswith("test_")]

    def _text(self, file: str) -> str:
        return (self.root / file).read_text(encoding="utf-8")

    def _named_after(self, test: str, file: str) -> bool:
        """test_page.py and test_mouths_page.py are named after mouths/page.py, if they stand in a
        folder named as one above it, among the guards, or directly among the tests."""
        path = Path(file) if Path(file).name != "__init__.py" else Path(file).parent
        stem, parent = _name_words(path.stem), _name_words(path.parent.name)
        named = _name_words(Path(test).stem.removeprefix("test_")) in (stem, stem | parent)
        return named and set(Path(test).parts[1:-1]) <= {*path.parts[:-1], "guards"}

    def _likeness(self, test: str, words: Words) -> float:
        """The cosine between a test's words and others, rare words counting more."""
        of_test = self._test_words[test]
        common = of_test.keys() & words.keys()
        dot = sum(self._weight(w, of_test) * self._weight(w, words) for w in common)
        return dot / (math.hypot(*(self._weight(w, of_test) for w in of_test)) or 1.0)

    def _weight(self, word: str, words: Words) -> float:
        return math.log1p(words[word]) * math.log(1 + len(self._tests) / self._spread[word])

    @cached_property
    def _test_words(self) -> dict[str, Words]:
        return {test: _words(f"{test} {self._text(test)}") for test in self._tests}

    @cached_property
    def _spread(self) -> Words:
        """How many tests have each word."""
        return Counter(word for words in self._test_words.values() for word in words)

    def _distances(self, file: str) -> tuple[dict[str, int], set[str]]:
        """How many imports away each file is that reaches this one, and which do so by helpers of
        tests alone."""
        found, edge = {file: 0}, [file]
        helped: set[str] = set()
        for distance in range(1, FAR + 1):
            edge = self._next(edge, found, distance, helped)
        return found, helped

    def _next(
        self, edge: list[str], found: dict[str, int], distance: int, helped: set[str]
    ) -> list[str]:
        """Files that import one of the edge. What a test's conftest and helpers import counts as
        imported by the test, what a package's __init__ imports as imported by its users."""
        new: list[str] = []
        waiting = list(edge)
        while waiting:
            waiting.sort(key=lambda used: used in helped or self.is_test(used))
            used = waiting.pop(0)
            users = self._users_of(used, found, distance)
            if used in helped or self.is_test(used):
                helped.update(users)
            waiting += [user for user in users if self._passes_on(user)]
            new += users
        return new

    def _passes_on(self, file: str) -> bool:
        return self.is_test(file) or file.endswith("/__init__.py")

    def _users_of(self, used: str, found: dict[str, int], distance: int) -> list[str]:
        """Files not found so far that import this one; they are now found."""
        users = [user for user in self._users.get(used, ()) if user not in found]
        found |= dict.fromkeys(users, distance)
        return users

    @cached_property
    def _users(self) -> dict[str, list[str]]:
        users: dict[str, list[str]] = {}
        for file in self._modules:
            for other in self._imports_of(file) - {file}:
                users.setdefault(other, []).append(file)
        return users

    @cached_property
    def _by_module(self) -> dict[str, str]:
        """The file of each module, by every name it can be imported by."""
        found = {module: file for file, module in self._modules.items()}
        for folder in self._options.get("pythonpath", []):
            start = folder.strip("./") + "."
            shorter = {m.removeprefix(start): f for m, f in found.items() if m.startswith(start)}
            found |= shorter
        return found

    def _imports_of(self, file: str) -> set[str]:
        """Files that a file imports or names; a test also uses the conftest files above it, and who
        hands its package on, as registries do, all modules of it."""
        nodes = list(ast.walk(ast.parse(self._text(file))))
        module = self._modules[file]
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        names = {name for node in nodes for name in (*_imported(node, package), *_named(node))}
        if any(isinstance(node, ast.Name) and node.id == "__package__" for node in nodes):
            names |= {name for name in self._by_module if name.rpartition(".")[0] == package}
        texts = {"__name__": module} | dict(pair for node in nodes for pair in _constant(node))
        for pattern in (_pattern(n, texts) for n in nodes if isinstance(n, ast.JoinedStr)):
            names |= {name for name in self._by_module if pattern and pattern.fullmatch(name)}
        found = {self._by_module[name] for name in names if name in self._by_module}
        if self.is_test(file):
            above = {(folder / "conftest.py").as_posix() for folder in Path(file).parents}
            found |= above & self._modules.keys()
        return found


def python_files(root: Path) -> Iterator[Path]:
    """Python files under a folder, without hidden folders and what was built."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in _PASSED_OVER or path.is_symlink():
            continue
        if path.is_dir() and not (path / "pyvenv.cfg").exists():
            yield from python_files(path)
        elif path.suffix == ".py":
            yield path


def _words(text: str) -> Words:
    """Words of names and texts without plural endings: `newTarget_sets` has new, target and set."""
    found = re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", text)
    return Counter(word.lower().rstrip("s") for word in found)


def _name_words(name: str) -> set[str]:
    return {word.rstrip("s") for word in name.split("_")}


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """Names of modules that an import may load: `from a import b` loads a or a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".")
        start = parts[: len(parts) - node.level + 1] if node.level else []
        module = ".".join([*start, *([node.module] if node.module else [])])
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)


def _named(node: ast.AST) -> Iterator[str]:
    """Names of modules in a text, and of one that is started as a program after "-m"."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from re.findall(r"\b\w+(?:\.\w+)+\b", node.value)
    parts = getattr(node, "elts", None) or getattr(node, "args", None)
    words = [getattr(part, "value", None) for part in parts] if isinstance(parts, list) else []
    if "-m" in words[:-1]:
        module = words[words.index("-m") + 1]
        yield from (str(module), f"{module}.__main__")


def _constant(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that are given a text, with the text."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        yield from ((name, node.value.value) for name in names if isinstance(node.value.value, str))


def _pattern(text: ast.JoinedStr, texts: Mapping[str, str]) -> re.Pattern[str] | None:
    """What an f-string may be, where it can name modules: f"package.{name}.page", or
    f"{PACKAGE}.page:Class", knowing the `texts` of some names."""
    parts = []
    for part in text.values:
        if isinstance(part, ast.Constant):
            parts.append(re.escape(str(part.value)))
        else:
            name = ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""
            parts.append(re.escape(texts[name]) if name in texts else r"\w+")
    pattern = "".join(parts).partition(":")[0]
    return re.compile(pattern) if re.match(r"\w+\\\.", pattern) else None
