"""All checks of the code, or with --fast the tests nearest to the changes only."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import environment
from environment import BIN, PYTHON, ROOT

FAST = "--fast"
STATIC = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "import contracts": ["lint-imports"],
    "dead code": ["vulture"],
    "mypy": ["mypy"],
}
PYTEST = ["pytest", "-q", "-n", "2", "--dist", "worksteal"]
NO_TESTS = 5  # pytest's exit code if every test was deselected


@dataclass(frozen=True)
class Result:
    """Result of a check; `output` is empty if it was shown while running."""

    name: str
    passed: bool
    seconds: float
    output: str = ""


def run(arguments: Sequence[str]) -> int:
    """Run every check, even after a failure; return 1 if any failed.

    Static checks run in parallel with the tests, which often wait. `arguments` other than --fast go
    to pytest.
    """
    further = [word for word in arguments if word != FAST]
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(1) as beside:
        variables = _variables(home)
        static = beside.submit(_static, variables)
        tests = (
            _fast_tests(further, variables) if FAST in arguments else _pytest(further, variables)
        )
        results = [*static.result(), *tests]
    for result in results:
        if not result.passed and result.output:
            print(f"── {result.name}\n{result.output.rstrip()}")
    print("──")
    for result in results:
        word = "passed" if result.passed else "FAILED"
        print(f"{word}  {result.name} ({result.seconds:.0f} s)")
    return int(not all(result.passed for result in results))


def _static(variables: Mapping[str, str]) -> list[Result]:
    return [_checked(name, command, variables) for name, command in STATIC.items()]


def _checked(name: str, command: Sequence[str], variables: Mapping[str, str]) -> Result:
    started = time.monotonic()
    tool = [str(BIN / command[0]), *command[1:]]
    done = subprocess.run(
        tool,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    return Result(name, done.returncode == 0, time.monotonic() - started, done.stdout)


def _pytest(words: Sequence[str], variables: Mapping[str, str]) -> list[Result]:
    """Run the tests; their output is shown at once."""
    started = time.monotonic()
    command = [str(BIN / PYTEST[0]), *PYTEST[1:], *words]
    code = subprocess.run(command, cwd=ROOT, env=variables).returncode
    fine = code == 0 or (code == NO_TESTS and "not slow" in words)
    return [Result("pytest", fine, time.monotonic() - started)]


def _fast_tests(further: Sequence[str], variables: Mapping[str, str]) -> list[Result]:
    """Run the tests that are not slow in the files nearest to the changes."""
    started = time.monotonic()
    command = [str(PYTHON), "-m", "tests.changed"]
    found = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    if found.returncode:
        failed = Result("nearest tests", False, time.monotonic() - started, found.stderr)
        return [failed]
    files = found.stdout.split()
    nothing = "" if files else "No test is near to the changes."
    print("\n".join(filter(None, [*files, found.stderr.strip(), nothing])), flush=True)
    return _pytest(["-m", "not slow", *further, *files], variables) if files else []


def _variables(home: str) -> dict[str, str]:
    """Environment variables: no screen, and `home` instead of the user's home folder."""
    apart = {f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CONFIG", "DATA", "CACHE")}
    quiet = {"QT_QPA_PLATFORM": "offscreen", "HOME": home, "LC_ALL": "C.UTF-8"}
    return {**environment.clean_environment(), **apart, **quiet}
