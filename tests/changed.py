"""Print the test files nearest to what changed, one a line: `python -m tests.changed`.

Changed is what differs from where this branch left `origin/main`, or else from the commit before
the last one, with what is not committed yet.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.nearest import Tree

ROOT = Path(__file__).resolve().parents[1]
EACH = 2  # test files for each changed one
MOST = 6  # test files that changed themselves, and as many others


def changed_files(root: Path) -> list[str]:
    """Files below `root` that changed and are still there. Raises CalledProcessError where `root`
    has no commit."""
    base = _base(root)
    tracked = _git(root, "diff", "--name-only", "--relative", "--diff-filter=d", base)
    new = _git(root, "ls-files", "--others", "--exclude-standard")
    return sorted({*tracked.splitlines(), *new.splitlines()})


def _base(root: Path) -> str:
    head = _git(root, "rev-parse", "HEAD").strip()
    for words in (("merge-base", "HEAD", "origin/main"), ("rev-parse", "--verify", "HEAD~1")):
        try:
            found = _git(root, *words).strip()
        except subprocess.CalledProcessError:
            continue
        if found != head:
            return found
    return head


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def nearest_tests(root: Path, changed: Sequence[str]) -> tuple[list[str], list[str]]:
    """The tests to run, and those left out: of changed test files the newest come first, of others
    those that are near to most changes."""
    tree = Tree(root)
    own = [file for file in changed if tree.is_test(file) and Path(file).name.startswith("test_")]
    own.sort(key=lambda file: -(root / file).stat().st_mtime)
    near: Counter[str] = Counter()
    for file in sorted({*changed} - {*own}):
        near.update(tree.nearest(file, EACH) if file.endswith(".py") else _naming(root, file))
    others = [test for test, _ in near.most_common() if test not in own]
    return own[:MOST] + others[:MOST], own[MOST:] + others[MOST:]


def _naming(root: Path, file: str) -> list[str]:
    """The first test files that name a file that is no Python."""
    tests = sorted(path for path in (root / "tests").rglob("test_*.py"))
    naming = [path for path in tests if Path(file).name in path.read_text(encoding="utf-8")]
    return [path.relative_to(root).as_posix() for path in naming[:EACH]]


def main() -> int:
    """Print the nearest tests; 1 where git knows nothing of this folder."""
    try:
        changed = changed_files(ROOT)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"git could not say what changed: {error}", file=sys.stderr)
        return 1
    chosen, left = nearest_tests(ROOT, changed)
    if left:
        print(f"{len(left)} more test files are near, and left to the whole test", file=sys.stderr)
    print(*chosen, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
