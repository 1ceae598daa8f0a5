"""The mutation test, tried on a toy package: a good test kills a mutant, a bad one lets it live."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.edits import mutants_of
from tests.mutation.nearest import Tree

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "mutants.py"

LIMITS = "def allowed(size: int) -> bool:\n    return size < 10\n"
GOOD = "from toy.limits import allowed\n\n\ndef test_the_limit():\n    assert allowed(9)\n"
GOOD += "    assert not allowed(10)\n    assert not allowed(11)\n"
BAD = "from toy.limits import allowed\n\n\ndef test_the_limit():\n    assert allowed(3) in (0, 1)\n"
ENDLESS = (
    "def allowed(size: int) -> bool:\n    while size < 10:\n        size += 1\n    return True\n"
)


@pytest.fixture
def toy(tmp_path):
    """A package with one function, and no test as yet."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "toy" / "__init__.py").write_text("")
    (tmp_path / "toy" / "limits.py").write_text(LIMITS)
    return tmp_path


def mutants(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, "--root", root, *words],
        cwd=root,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )


def test_a_good_test_kills_every_mutant(toy):
    (toy / "tests" / "test_limits.py").write_text(GOOD)
    done = mutants(toy)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3 of 3 killed: 100%, goal 90%"
    bound = "killed    toy/limits.py:2  return size < 10  ->  return size <= 10"
    assert f"{bound}\n    tests/test_limits.py::test_the_limit" in done.stdout
    assert (toy / "toy" / "limits.py").read_text() == LIMITS


def test_a_bad_test_lets_mutants_survive(toy):
    (toy / "tests" / "test_limits.py").write_text(BAD)
    done = mutants(toy)
    assert done.returncode == 1, done.stderr
    assert "survived  toy/limits.py:2  return size < 10  ->  return size <= 10" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 of 3 killed: 33%, goal 90%"
    assert mutants(toy, "--goal", "0.3").returncode == 0


def test_a_test_that_fails_anyway_shows_nothing(toy):
    wrong = "\n\ndef test_wrong():\n    assert allowed(12)\n"
    (toy / "tests" / "test_limits.py").write_text(BAD + wrong)
    done = mutants(toy, "--jobs", "1")
    assert "survived  toy/limits.py:2  return size < 10  ->  return size <= 10" in done.stdout
    assert "without tests/test_limits.py::test_wrong (fails anyway)" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 of 3 killed: 33%, goal 90%"


def test_tests_that_cannot_be_run_give_no_verdict(toy):
    (toy / "tests" / "test_limits.py").write_text("import toy.limits, toy.missing\n")
    done = mutants(toy, "--jobs", "1")
    assert done.stdout.count("unsure") == 3
    assert done.stdout.splitlines()[-1].startswith("0 of 0 killed")


def test_a_mutant_that_never_ends_is_killed(toy):
    (toy / "toy" / "limits.py").write_text(ENDLESS)
    (toy / "tests" / "test_limits.py").write_text(GOOD.partition("    assert not")[0])
    listed = mutants(toy, "--list", "--count", "9").stdout
    assert "toy/limits.py:3  size += 1  ->  size -= 1" in listed
    done = mutants(toy, "--count", "9", "--timeout", "5")
    assert "timed out toy/limits.py:3  size += 1  ->  size -= 1" in done.stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_only_what_changed_is_tried_and_changed_lines_first(toy):
    def git(*words: str) -> None:
        author = ("-c", "user.name=Toy", "-c", "user.email=toy@example.org")
        subprocess.run(["git", *author, *words], cwd=toy, check=True, capture_output=True)

    (toy / "toy" / "other.py").write_text(LIMITS)
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "Toy")
    (toy / "toy" / "limits.py").write_text(LIMITS.replace("10", "11"))
    (toy / "toy" / "new.py").write_text(LIMITS)
    listed = mutants(toy, "--list", "--base", "HEAD").stdout
    assert "toy/limits.py:2" in listed
    assert "toy/new.py:2" in listed
    assert "toy/other.py" not in listed
    assert "toy/limits.py" not in mutants(toy, "--list", "--package", "toy.other").stdout


def changes(source: str) -> list[str]:
    found = mutants_of("any.py", source.encode())
    assert all(mutant.compiles(source.encode()) for mutant in found)
    return [mutant.change(source.encode()).partition("  ->  ")[2] for mutant in found]


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("x = a <= b", "x = a < b"),
        ("x = a is not None", "x = a is None"),
        ("x = (a) or b  # or c", "x = (a) and b # or c"),
        ("x = (a + b) * c", "x = (a + b)"),
        ("x = (a + b) * c", "x = (a - b) * c"),
        ("x = sorted(a, reverse=True)", "x = sorted(a, reverse=False)"),
        ("x = sorted(a, key=lambda b: -b)", "x = sorted(a, key=lambda b: b)"),
        ("x = not (a or b)", "x = (a or b)"),
        ("x = min(a, 3)", "x = max(a, 3)"),
        ("x = min(a, 3)", "x = min(a, 4)"),
        ("x += 1", "x -= 1"),
        ("x = db('SELECT a FROM b ORDER BY a DESC')", "x = db('SELECT a FROM b ORDER BY a')"),
        ("x = 'ö' if a == b else c", "x = 'ö' if a != b else c"),
    ],
)
def test_the_fault_is_put_where_it_belongs(line, changed):
    assert changed in changes(line)


@pytest.mark.parametrize(
    "source",
    [
        '"""More than 3 < 4."""',
        "x: int | None",
        "def __repr__(self):\n    return self.a + 1",
        "def paintEvent(self, event):\n    self.draw(self.a + 1)",
        "tr('{0} of {1}', a + 1)",
        "Message('{n} of them', n=a + 1)",
        "class Marks:\n    def __init__(self, painter: QPainter):\n        self.p = painter\n"
        "    def line(self, at):\n        self.p.drawLine(at, at * 2)",
        "logger.warning('a', a + 1)",
        "if TYPE_CHECKING:\n    x = a < 3",
        "def legend(self, painter: QPainter):\n    self.draw(self.a + 1)",
        "def legend(draw: ImageDraw.ImageDraw, at: int):\n    draw.text(at + 1)",
        "REPORT_SECONDS = 0.25",
        "_CHUNK = 64 * 1024",
        "PATIENCE = 20.0  # seconds, after which the rest is estimated",
        "QUERIES = 256  # rows compared at a time",
        "LOOKED_UP = 2000  # files checked between two chances to stop",
        "CACHED = 4000  # heatmaps of a few kilobytes each",
        "x = now - last < BATCH_SECONDS",
        "x = min(16, os.cpu_count() or 1)",
        "x = clamp(a, 1e-9)",
        "os.fsync(handle)",
        "row.addStretch(1)",
    ],
)
def test_what_no_test_should_notice_is_left_alone(source):
    assert changes(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "PATIENCE = 2  # epochs without improvement",
        "KEPT = 20  # studies that a project remembers",
        "SMALL_SIDE = 64  # pixels; smaller crops use the small network",
        "def x(draw: Generator) -> bool:\n    return draw.a > 3",
    ],
)
def test_limits_and_shares_are_not_mistaken_for_speed_or_appearance(source):
    assert changes(source)


@pytest.mark.parametrize(
    ("line", "left_out", "put"),
    [
        ("x = monotonic() - a >= b", "x = monotonic() - a > b", "x = monotonic() + a >= b"),
        ("x = QRect(a, b + 4)", "x = QRect(a, b + 5)", "x = QRect(a, b - 4)"),
        ("x = a.width() - 4", "x = a.width() - 5", "x = a.width() + 4"),
        ("x = a.width() // 4", "", "x = a.width() // 5"),
        ("x = a / (b + 1e-9)", "x = a / (b - 1e-9)", "x = (a)"),
        ("x = total > 1.0 + 1e-9", "x = total >= 1.0 + 1e-9", "x = total > 2.0 + 1e-9"),
        ("x = a + EPSILON > b + c", "x = a + EPSILON >= b + c", "x = a + EPSILON > b - c"),
        ("x = max(40, a.width())", "x = max(41, a.width())", "x = min(40, a.width())"),
        ("x = max(a, 1e-12)", "x = max(a, 2e-12)", "x = min(a, 1e-12)"),
    ],
)
def test_only_the_fault_that_cannot_be_noticed_is_left_out(line, left_out, put):
    assert left_out not in changes(line)
    assert put in changes(line)


def test_appearance_is_left_alone_in_the_window_only():
    source = b"LONGEST = 640  # pixels of a preview\n_ROW = 28\n"
    assert mutants_of("workbench/ui/parts/image_view.py", source) == []
    assert len(mutants_of("workbench/vision/mouths.py", source)) == 2


def test_a_test_named_after_the_module_is_first_and_distant_ones_are_left_out(toy):
    (toy / "toy" / "pages.py").write_text("from toy.limits import allowed\n")
    (toy / "toy" / "window.py").write_text("import toy.pages\n")
    tests = {
        "test_direct.py": "from toy.limits import allowed\n",
        "test_limits.py": "import toy.pages\n",
        "test_pages.py": "import toy.pages\n",
        "test_window.py": "import toy.window\n",
        "test_else.py": "import sys\n",
    }
    for name, text in tests.items():
        (toy / "tests" / name).write_text(text)
    nearest = Tree(toy).nearest("toy/limits.py", 9)
    assert nearest == ["tests/test_limits.py", "tests/test_direct.py", "tests/test_pages.py"]


def test_modules_loaded_by_name_and_fixtures_count_as_imports(toy):
    (toy / "toy" / "loader.py").write_text('module = f"toy.{name}"\n')
    (toy / "tests" / "conftest.py").write_text("import toy.loader\n")
    (toy / "tests" / "test_cases.py").write_text("")
    assert Tree(toy).nearest("toy/limits.py", 9) == ["tests/test_cases.py"]
    (toy / "toy" / "loader.py").write_text('AT = "toy"\nmodule = f"{AT}.limits:allowed"\n')
    assert Tree(toy).nearest("toy/limits.py", 9) == ["tests/test_cases.py"]


def test_the_modules_of_a_registry_are_reached_by_tests_of_the_registry(toy):
    (toy / "toy" / "kinds").mkdir()
    (toy / "toy" / "kinds" / "__init__.py").write_text("from toy.kinds.base import KINDS\n")
    (toy / "toy" / "kinds" / "base.py").write_text("KINDS = Registry(__package__)\n")
    (toy / "toy" / "kinds" / "one.py").write_text("from toy.kinds.base import KINDS\n")
    (toy / "tests" / "test_all.py").write_text("from toy.kinds import KINDS\n")
    assert Tree(toy).nearest("toy/kinds/one.py", 9) == ["tests/test_all.py"]


def test_a_test_that_reaches_the_module_by_a_helper_is_one_step_further(toy):
    (toy / "toy" / "pages.py").write_text("from toy.limits import allowed\n")
    (toy / "toy" / "window.py").write_text("import toy.pages\n")
    (toy / "tests" / "everything.py").write_text("import toy.limits\n")
    tests = {
        "test_scenes.py": "import tests.everything\nallowed = size = 3\n",
        "test_direct.py": "from toy.limits import allowed\n",
        "test_more.py": "from toy.limits import allowed\nother = words = 3\n",
    }
    for name, text in tests.items():
        (toy / "tests" / name).write_text(text)
    assert Tree(toy).nearest("toy/limits.py", 9)[-1] == "tests/test_scenes.py"
    (toy / "tests" / "test_direct.py").unlink()
    (toy / "tests" / "test_more.py").write_text("import toy.window\nallowed = size = 3\n")
    assert "tests/test_more.py" in Tree(toy).nearest("toy/limits.py", 9)


def test_a_test_named_after_the_module_is_one_of_the_same_folder(toy):
    for folder in ("parts", "other"):
        (toy / "toy" / folder).mkdir()
        (toy / "toy" / folder / "__init__.py").write_text("")
        (toy / "tests" / folder).mkdir()
        text = f"from toy.{folder}.limits import allowed\n"
        (toy / "tests" / folder / "test_limits.py").write_text(text)
    (toy / "toy" / "other" / "limits.py").write_text("from toy.parts.limits import allowed\n")
    (toy / "toy" / "parts" / "limits.py").write_text("allowed = size = 1\n")
    direct = "from toy.parts.limits import allowed\nallowed = size = 1\n"
    (toy / "tests" / "test_test_limits.py").write_text(direct)
    first, second, third = Tree(toy).nearest("toy/parts/limits.py", 9)
    assert first == "tests/parts/test_limits.py"
    assert (second, third) == ("tests/test_test_limits.py", "tests/other/test_limits.py")


def test_a_test_named_after_a_module_is_near_without_importing_it(toy):
    (toy / "tests" / "test_limits.py").write_text("import subprocess\n")
    assert "tests/test_limits.py" in Tree(toy).nearest("toy/limits.py", 9)
