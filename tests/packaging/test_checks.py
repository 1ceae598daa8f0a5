"""The checks, tried on a small project of their own, and which tests are near to a change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import environment
import pytest

from tests.changed import changed_files, nearest_tests

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """\
[tool.ruff]
extend-exclude = ["tests/changed.py", "tests/mutation"]
[tool.ruff.lint]
select = ["F"]
[tool.mypy]
strict = true
files = ["shop"]
[tool.vulture]
paths = ["shop"]
min_confidence = 90
[tool.importlinter]
root_package = "shop"
[[tool.importlinter.contracts]]
name = "Pages know no window"
type = "forbidden"
source_modules = ["shop.page"]
forbidden_modules = ["shop.window"]
[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
markers = ["slow: takes long"]
"""
PAGE = '''\
"""A page."""


def title() -> str:
    """The title."""
    return "Page"
'''
TEST = """\
import pytest

from shop import page


def test_title():
    assert page.title() == "Page"


@pytest.mark.slow
def test_slowly():
    raise AssertionError("this is slow, and not for the fast checks")
"""


def git(folder: Path, *words: str) -> None:
    who = {
        f"GIT_{role}_{what}": "x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    command = ["git", "-c", "init.defaultBranch=main", *words]
    subprocess.run(command, cwd=folder, env={**os.environ, **who}, check=True, capture_output=True)


@pytest.fixture
def small(tmp_path):
    """A project with one page, one test of it, one elsewhere, and one commit."""
    for name, text in {
        "pyproject.toml": SETTINGS,
        ".gitignore": "__pycache__\n.*_cache\npackaging\n.venv\n",
        "shop/__init__.py": "",
        "shop/page.py": PAGE,
        "shop/window.py": '"""A window."""\n',
        "tests/test_page.py": TEST,
        "tests/test_window.py": "from shop import window\n\n\ndef test_it():\n    assert window\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Begin")
    return tmp_path


def test_what_differs_from_the_last_commit_but_one_has_changed(small):
    assert changed_files(small) == []
    (small / "shop/page.py").write_text(PAGE.replace("Page", "Leaf"))
    git(small, "commit", "-am", "Rename")
    (small / "shop/new.py").write_text('"""New."""\n')
    (small / "tests/test_window.py").unlink()
    assert changed_files(small) == ["shop/new.py", "shop/page.py"]


def test_what_differs_from_the_main_branch_elsewhere_has_changed(small):
    git(small, "update-ref", "refs/remotes/origin/main", "HEAD")
    for name in ("one", "two"):
        (small / "shop" / f"{name}.py").write_text('"""New."""\n')
        git(small, "add", ".")
        git(small, "commit", "-m", name)
    assert changed_files(small) == ["shop/one.py", "shop/two.py"]


def test_the_nearest_tests_of_a_change_are_found(small):
    assert nearest_tests(small, ["shop/page.py"]) == (["tests/test_page.py"], [])
    assert nearest_tests(small, ["tests/test_window.py", "shop/page.py"])[0] == [
        "tests/test_window.py",
        "tests/test_page.py",
    ]
    (small / "tests/test_window.py").write_text('PLAN = "plan.toml"\n')
    assert nearest_tests(small, ["plan.toml"])[0] == ["tests/test_window.py"]


@pytest.fixture
def check(small):
    """The checks of the small project, with the tools of this environment."""
    (small / "packaging").mkdir()
    for name in ("checks", "environment", "machine"):
        shutil.copy(ROOT / "packaging" / f"{name}.py", small / "packaging")
    shutil.copytree(ROOT / "tests" / "mutation", small / "tests" / "mutation")
    shutil.copy(ROOT / "tests" / "changed.py", small / "tests")
    git(small, "add", ".")
    git(small, "commit", "-m", "Add the checks")
    line = (
        "import sys, pathlib, environment; "
        f"environment.BIN = pathlib.Path({str(environment.BIN)!r}); "
        f"environment.PYTHON = pathlib.Path({sys.executable!r}); "
        "import checks; sys.exit(checks.run(sys.argv[1:]))"
    )

    def run(*words: str) -> tuple[int, str]:
        variables = {**os.environ, "PYTHONPATH": str(small / "packaging")}
        command = [sys.executable, "-c", line, *words]
        done = subprocess.run(command, env=variables, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_fast_checks_run_what_is_near_and_not_slow(small, check):
    (small / "shop/page.py").write_text(f"{PAGE}\n\nSIZE = 3\n")
    code, output = check("--fast")
    assert code == 0, output
    assert "1 passed" in output
    assert "FAILED" not in output
    assert "passed  mypy" in output


def test_every_check_that_fails_is_named(small, check):
    wrong = 'import shop.window\n\n\ndef title() -> int:\n    return  "Leaf"\n'
    (small / "shop/page.py").write_text(f'"""A page."""\n\n{wrong}')
    code, output = check("--fast")
    assert code == 1
    names = ("ruff check", "ruff format", "import contracts", "dead code", "mypy", "pytest")
    assert [name for name in names if f"FAILED  {name}" not in output] == []
    assert "Pages know no window BROKEN" in output
    assert "Incompatible return value" in output


def test_the_whole_check_runs_the_slow_tests_too(check):
    code, output = check()
    assert code == 1
    assert "this is slow" in output
