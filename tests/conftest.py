"""What every test may use: a real project, and guards that nothing is left running behind it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import hypothesis
import pytest
from shiboken6 import isValid

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the learning program sets it
os.environ.setdefault("WORKBENCH_SQUARES_GIB", "0")  # nothing is kept in a person's home

import workbench.learning  # noqa: F401 - before a test loads onnxruntime: its telemetry is off
from workbench.app.jobs import Job
from workbench.app.session import Session
from workbench.storage.locks import process_started
from workbench.storage.project import Project

for variable in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[variable]  # of a hook of git: tests have repositories of their own

# By the clock alone an example would fail where other programs keep the machine busy.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

GRACE = 2.0  # seconds that a thread or process has to end after its test


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project on the disk."""
    made = Project.create(tmp_path / "Cars")
    yield made
    made.close()


@pytest.fixture
def session(project: Project, qapp: object) -> Iterator[Session]:
    """The same project open for the app's deeds; its jobs are stopped and waited for."""
    opened = Session(project)
    yield opened
    opened.close()


_jobs: weakref.WeakSet[Job] = weakref.WeakSet()


@pytest.fixture(autouse=True, scope="session")
def _jobs_are_counted() -> Iterator[None]:
    started = Job.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "start", lambda job, *rest: (_jobs.add(job), started(job, *rest))[1])
        yield


def _children() -> set[int]:
    """Living child processes of this one (Linux; elsewhere none is known)."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in task.read_text().split())
    return {pid for pid in found if process_started(pid) is not None and not _stays(pid)}


def _stays(pid: int) -> bool:
    """Python's own helpers of process pools live as long as the process that started them."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return b"resource_tracker" in words or b"forkserver" in words


def _left(threads: set[threading.Thread], children: set[int]) -> list[str]:
    now = {thread for thread in threading.enumerate() if not thread.daemon}
    return [
        *(f"thread {thread.name}" for thread in now - threads),
        *(f"child process {pid}" for pid in _children() - children),
        *(f"job {job.task.title}" for job in list(_jobs) if isValid(job) and job.isRunning()),
    ]


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread, a job or a child process behind. What wider fixtures keep
    was there before the test and may stay."""
    threads, children = set(threading.enumerate()), _children()
    yield
    end = time.monotonic() + GRACE
    while _left(threads, children) and time.monotonic() < end:
        time.sleep(0.01)
    assert _left(threads, children) == []


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Train on one thread of the CPU: compared trainings add their numbers in one order, and small
    networks gain nothing by more threads."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a small trained run."""
    from tests.fixtures.tiny_runs import save_run

    return save_run(tmp_path / "run")


@pytest.fixture
def images(tmp_path: Path) -> Sequence[Path]:
    """Five small image files."""
    from tests.fixtures.tiny_runs import draw_images

    return draw_images(tmp_path / "images", 5)
