"""No command and no page uses the network, and nothing but our own folders is left in the home.

Python code is denied the network and recorded in every process (`offline/sitecustomize.py`). Native
code is seen by what it leaves in the home, and where there is strace, by its sockets.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.run_folders import draw
from workbench.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = ROOT / "tests" / "guards" / "offline"
OURS = "vantage-workbench"
FAST = "--set image_size=32 --set epochs=1 --set batch=8"
PLAN = """\
seeds = [0]
split = { train = 0.5, validation = 0.0, test = 0.5 }
[base]
target = "category"
backbone = "simpleconv3"
start = "none"
image_size = 32
epochs = 1
[variants.plain]
[variants.small]
batch = 4
"""
# command → its lines, in an order in which each finds what it needs
CASES = {
    "new": ["Toys", "Others"],
    "import": ["Toys photos --category-from folder", "Others photos --category-from folder"],
    "label": ["Toys --set view --label left disc"],
    "labels": ["export Toys labels.csv", "import Toys labels.csv"],
    "annotators": ["Toys --csv annotators.csv"],
    "imports": ["Toys --csv report.csv"],
    "merge": ["Toys Others"],
    "undo": ["Toys"],
    "redo": ["Toys"],
    "crop": ["Toys --out mouths"],
    "split": ["Toys --train 0.5 --validation 0.25 --test 0.25"],
    "leakage": ["Toys"],
    "versions": ["Toys --create first"],
    "restore": ["Toys --list"],
    "methods": [""],
    "transferability": ["Toys --start none --backbone simpleconv3"],
    "layers": ["Toys --start none --backbone simpleconv3"],
    "relatedness": ["Toys --from Others --networks 1 --per-class 4"],
    "train": [f"Toys --set target=category --set backbone=simpleconv3 --set start=none {FAST}"],
    "runs": ["Toys"],
    "evaluate": ["Toys latest --again"],
    "explain": ["Toys latest disc0 --out maps"],
    "predict": ["Toys latest photos --out predictions.csv"],
    "export": ["Toys latest toys.onnx"],
    "similar": ["Toys disc0"],
    "cluster": ["Toys -k 2 --rounds 1"],
    "study": ["Toys plan.toml"],
    "doctor": ["Toys"],
    "transfer": [f"Toys --from Others --start none {FAST}"],
    "demo": ["demo --seeds 1 --no-window"],
}
# What would take long gets Ctrl+C at a line that begins so, with the learning program at work.
STOPPED = {
    "relatedness": "Comparing domains",
    "study": "CPU, ",  # the first report of a training; earlier the signal may end the program
    "transfer": "Comparing domains",
    "demo": "CPU, ",
}
ENDS = {"doctor": (0, 1), **dict.fromkeys(STOPPED, (130,))}  # other commands: 0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="HOME does not name the home there")


class Offline:
    """A place without network to run programs in, whose home is empty at first."""

    def __init__(self, place: Path) -> None:
        self.place, self.home = place / "work", place / "home"
        self.attempts, self.trace = place / "attempts", place / "trace"
        self.place.mkdir()
        self.home.mkdir()
        self._seen: set[str] = set()
        tracing = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=socket", "-o", self.trace]
        self.tracing = tracing if traces(tracing) else []

    def run(self, *words: str, stop_at: str = "") -> tuple[int, str]:
        """Run Python on `words`, with Ctrl+C at the first line that begins with `stop_at`; its exit
        code and what it wrote to its error output."""
        child = subprocess.Popen(
            [*self.tracing, sys.executable, *words],
            cwd=self.place,
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl+C reaches strace and the program, as at a terminal
        )
        errors = ""
        with child:
            for line in child.stderr:
                errors += line
                if stop_at and line.startswith(stop_at):
                    os.killpg(child.pid, signal.SIGINT)
                    stop_at = ""
        return child.returncode, errors

    def found(self) -> list[str]:
        """Uses of the network, and what is not ours in the home, since this was last called."""
        found = self.attempts.read_text().splitlines() if self.attempts.exists() else []
        self.attempts.unlink(missing_ok=True)
        if self.tracing:
            found += [line for line in self.trace.read_text().splitlines() if "AF_INET" in line]
        ours = list(self.home.rglob(OURS))
        for path in sorted(self.home.rglob("*")):
            of_ours = any(path == one or path in one.parents or one in path.parents for one in ours)
            name = path.relative_to(self.home).as_posix()
            if not of_ours and name not in self._seen:
                self._seen.add(name)
                found.append(name)
        return found

    def _environment(self) -> dict[str, str]:
        """Nothing is inherited: XDG names other homes, and onnxruntime is silent where CI is set.
        What the user wants of telemetry is overridden."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": f"{OFFLINE}{os.pathsep}{ROOT}",
            "NETWORK_ATTEMPTS": str(self.attempts),
            "LC_ALL": "C.UTF-8",
            "QT_QPA_PLATFORM": "offscreen",
            "OMP_NUM_THREADS": "1",
            "WORKBENCH_DEVICE": "cpu",
            "ORT_DISABLE_TELEMETRY": "0",
        }


def traces(tracing: list[str | Path]) -> bool:
    """Whether strace is there and may be used."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run([*tracing, "true"], capture_output=True).returncode == 0


@pytest.fixture
def offline(tmp_path):
    made = Offline(tmp_path)
    for number, kind in enumerate(("disc", "bar", "cross")):
        folder = made.place / "photos" / kind
        folder.mkdir(parents=True)
        for n in range(4):
            draw(number, n).save(folder / f"{kind}{n}.png")
    (made.place / "plan.toml").write_text(PLAN)
    return made


def test_every_command_has_a_case():
    assert set(CASES) == set(COMMANDS)


@pytest.mark.slow
def test_no_command_uses_the_network_or_leaves_anything_of_others_in_the_home(offline):
    found = {}
    for command, lines in CASES.items():
        for line in lines:
            words = ("-m", "workbench", command, *line.split(), "--json")
            code, errors = offline.run(*words, stop_at=STOPPED.get(command, ""))
            assert code in ENDS.get(command, (0,)), f"{command} ended with {code}\n{errors}"
            found[f"{command} {line}"] = offline.found()
    assert {line: what for line, what in found.items() if what} == {}
    assert list(offline.home.rglob(OURS))  # this was the home that they used


def test_no_page_uses_the_network_or_leaves_anything_of_others_in_the_home(offline):
    for command in ("new", "import"):
        offline.run("-m", "workbench", command, *CASES[command][0].split())
    code, errors = offline.run("-m", "visit_pages", "Toys.workbench")
    assert code == 0
    assert "Traceback" not in errors
    assert offline.found() == []
    assert list(offline.home.rglob("settings.json"))


@pytest.mark.parametrize(
    "words",
    [["workbench", "learning", "--help"], ["workbench.learning", "--help"]],
    ids=["as the packaged program starts it", "as app and torchrun start it"],
)
def test_the_learning_program_turns_telemetry_off_whatever_the_user_set(offline, words):
    code, errors = offline.run(
        "-c",
        "import contextlib, os, runpy, sys\n"
        f"sys.argv = {words}\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    runpy.run_module({words[0]!r}, run_name='__main__', alter_sys=True)\n"
        "sys.exit(os.environ['ORT_DISABLE_TELEMETRY'])",
    )
    assert (code, errors.splitlines()[-1]) == (1, "1")


LEAKS = {
    "socket.getaddrinfo": "import socket; socket.getaddrinfo('localhost', 80)",
    "socket.__new__": "import socket; socket.create_server(('127.0.0.1', 0))",
    ".cache/Elsewhere": "import pathlib; pathlib.Path.home().joinpath('.cache/Elsewhere').mkdir()",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_guard_finds_violations(offline, leak):
    (offline.home / ".cache").mkdir()
    inner = [sys.executable, "-c", LEAKS[leak]]
    offline.run("-c", f"import subprocess; subprocess.run({inner})")
    assert any(line.startswith(leak) for line in offline.found())
    assert offline.found() == []


def test_the_guard_sees_sockets_of_native_code_where_there_is_strace(offline):
    if not offline.tracing:
        pytest.skip("strace is missing, or may not be used")
    offline.run("-c", "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)")
    assert any("socket(AF_INET" in line for line in offline.found())
