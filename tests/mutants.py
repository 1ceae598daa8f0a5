"""Put small faults into the code, one at a time, and see whether the nearest tests notice.

Run `python tests/mutants.py [--base REV] [--package NAME] [--count 10] [--seed N] [--list]`.
Mutants are drawn from the files changed since REV (changed lines first), from a package, or from
everywhere; orders, limits, counters and factors are drawn more often. Each is tried in a copy of
the tree on the few test files that import or name its module, directly or by one step. A test that
fails without the fault, too, shows nothing. The exit code is 1 if fewer than the goal are killed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.mutation.edits import Mutant, mutants_of  # noqa: E402 (the path comes first)
from tests.mutation.nearest import Tree  # noqa: E402

CHANGED = 10  # how much likelier a mutant is drawn on a line that was changed
NEAR = 8  # lines around a mutant that show what it is about
NOT_COPIED = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist")
PASSED, NO_TESTS = 0, 5  # exit codes of pytest
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+\.py(?:::.+?)?)(?: - .*)?$", re.M)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant, and by which test or why."""

    word: str  # killed, timed out, survived, unsure
    reason: str

    @property
    def counted_as_killed(self) -> bool:
        return self.word in ("killed", "timed out")


@dataclass(frozen=True)
class Trial:
    """A mutant, the tests that should notice it, and how its line changes."""

    mutant: Mutant
    tests: list[str]
    change: str


class Copy:
    """A copy of the tree, in which one mutant at a time is tried."""

    def __init__(self, tree: Path, folder: Path, timeout: float) -> None:
        self.root = folder / "tree"
        self._temporary = folder / "temporary"
        self._timeout = timeout
        self._broken: set[str] = set()  # tests that fail without a mutant, which are left out
        shutil.copytree(tree, self.root, ignore=shutil.ignore_patterns(*NOT_COPIED))

    def judge(self, trial: Trial) -> Verdict:
        """Run the tests with the fault in place; what fails must pass without it."""
        if not trial.tests:
            return Verdict("survived", "no test imports it")
        while True:
            with self._with(trial.mutant):
                code, output = self._run(trial.tests)
            if code in (PASSED, NO_TESTS):
                return Verdict("survived", " ".join([*trial.tests, *self._without()]))
            failed = _FAILED.findall(output)
            if self._run(failed or trial.tests)[0] == PASSED:
                reason = " ".join(failed[:1]) or f"exit code {code}"
                return Verdict("timed out", "") if code is None else Verdict("killed", reason)
            if code is None or self._broken.issuperset(failed):
                return Verdict("unsure", "its tests fail or take too long without it, too")
            self._broken.update(failed)

    def _without(self) -> list[str]:
        return [f"without {test} (fails anyway)" for test in sorted(self._broken)]

    @contextmanager
    def _with(self, mutant: Mutant) -> Iterator[None]:
        path = self.root / mutant.file
        source = path.read_bytes()
        self._write(path, mutant.applied(source))
        try:
            yield
        finally:
            self._write(path, source)

    @staticmethod
    def _write(path: Path, source: bytes) -> None:
        """Write a source and drop its byte code, which may look as new and as long as the other."""
        path.write_bytes(source)
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()

    def _run(self, tests: list[str]) -> tuple[int | None, str]:
        """Run tests; the exit code is None after a time-out."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir()
        options = ("-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider")
        left_out = [f"--deselect={test}" for test in self._broken]
        places = {"PYTHONPATH": str(self.root), "TMPDIR": str(self._temporary), "COLUMNS": "1000"}
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *options, *left_out, *tests],
                cwd=self.root,
                env={**os.environ, **places},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(self._timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end_group(process)
            output.seek(0)
            return code, output.read()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started, where they still run."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def changed_lines(root: Path, base: str) -> dict[str, set[int]]:
    """Python files changed since a revision and the lines that are new there."""
    diff = _git(
        root, "diff", "-U0", "--no-color", "--no-ext-diff", "--relative", base, "--", "*.py"
    )
    found: dict[str, set[int]] = {}
    lines: set[int] = set()
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            lines = found.setdefault(line.removeprefix("+++ b/"), set())
        elif match := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(match[1]), int(match[2] or 1)
            lines |= set(range(first, first + count))
    for file in _git(root, "ls-files", "--others", "--exclude-standard", "*.py").splitlines():
        found[file] = set(range(1, 1 + len((root / file).read_bytes().splitlines())))
    return found


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return done.stdout


def belongs(file: str, package: str) -> bool:
    """Whether a file is of a package, named `a.b`, `b` or by its folder."""
    parts = Path(file).with_suffix("").parts
    wanted = tuple(re.split(r"[./]", package.strip("/").removesuffix(".py")))
    return any(parts[i : i + len(wanted)] == wanted for i in range(len(parts)))


def candidates(tree: Tree, options: argparse.Namespace) -> list[Mutant]:
    """Every mutant of the requested files, those of changed lines with more weight."""
    changed = changed_lines(tree.root, options.base) if options.base else None
    found: list[Mutant] = []
    for file in tree.sources():
        lines = set() if changed is None else changed.get(file)
        if lines is None or (options.package and not belongs(file, options.package)):
            continue
        for mutant in mutants_of(file, (tree.root / file).read_bytes()):
            more = CHANGED if mutant.line in lines else 1
            found.append(replace(mutant, weight=mutant.weight * more))
    return found


def draw(root: Path, mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """Draw by weight; a function, a package and a file come again only after the others. What is
    drawn of a file does not hang on what stands in others."""

    def luck(mutant: Mutant) -> float:
        dice = random.Random(f"{seed} {mutant.file} {mutant.start} {mutant.new!r}")
        return float(dice.random() ** (1 / mutant.weight))

    waiting = sorted(mutants, key=luck, reverse=True)
    used: Counter[tuple[str, ...]] = Counter()
    chosen: list[Mutant] = []
    while waiting and len(chosen) < count:
        best = min(waiting, key=lambda mutant: [used[place] for place in _places(mutant)])
        waiting.remove(best)
        if best.compiles((root / best.file).read_bytes()):
            chosen.append(best)
            used.update(_places(best))
    return chosen


def _places(mutant: Mutant) -> list[tuple[str, ...]]:
    """The function, the package below the topmost, and the file of a mutant."""
    return [(mutant.file, mutant.scope), Path(mutant.file).parent.parts[:2], (mutant.file,)]


def measured(trials: list[Trial], options: argparse.Namespace) -> Iterator[tuple[Trial, Verdict]]:
    """Try mutants, as many at a time as there are copies."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(min(options.jobs, len(trials))):
            copies.put(Copy(options.root, Path(folder, str(number)), options.timeout))

        def judge(trial: Trial) -> Verdict:
            copy = copies.get()
            try:
                return copy.judge(trial)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(options.jobs) as pool:
            yield from zip(trials, pool.map(judge, trials), strict=True)


def parsed(words: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", metavar="REV", help="only files changed since this revision")
    parser.add_argument("--package", metavar="NAME", help="only modules of this package")
    parser.add_argument("--count", type=int, default=10, help="mutants to try")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others")
    parser.add_argument("--files", type=int, default=6, help="test files for each mutant")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each mutant")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2, help="mutants at a time")
    parser.add_argument("--goal", type=float, default=0.9, help="share that must be killed")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree, this one by default")
    parser.add_argument("--list", action="store_true", help="show the mutants, try none")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Draw mutants, try them, print each verdict and the score."""
    options = parsed(words)
    tree = Tree(options.root)
    drawn = draw(options.root, candidates(tree, options), options.count, options.seed)
    trials = [_trial(tree, mutant, options.files) for mutant in drawn]
    if options.list:
        for trial in trials:
            print(f"{_where(trial)}\n    {' '.join(trial.tests)}")
        return 0
    counts: Counter[bool] = Counter()
    for trial, verdict in measured(trials, options):
        print(f"{verdict.word:<9} {_where(trial)}\n    {verdict.reason}", flush=True)
        if verdict.word != "unsure":
            counts[verdict.counted_as_killed] += 1
    return _score(counts[True], counts.total(), options.goal)


def _trial(tree: Tree, mutant: Mutant, files: int) -> Trial:
    source = (tree.root / mutant.file).read_bytes()
    around = source.splitlines()[max(0, mutant.line - NEAR) : mutant.line + NEAR]
    focus = b"\n".join(around).decode() + mutant.scope
    return Trial(mutant, tree.nearest(mutant.file, files, focus), mutant.change(source))


def _where(trial: Trial) -> str:
    return f"{trial.mutant.file}:{trial.mutant.line}  {trial.change}"


def _score(killed: int, tried: int, goal: float) -> int:
    """Print the score; the exit code is 1 below the goal."""
    share = killed / tried if tried else 1.0
    print(f"{killed} of {tried} killed: {share:.0%}, goal {goal:.0%}")
    return 0 if share >= goal else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
