"""What a test leaves running fails it: the guard in conftest, seen to hold."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LEAKS = {
    "thread": """
    import threading

    threading.Thread(target=threading.Event().wait, args=(4,)).start()
""",
    "child process": """
    import subprocess, sys

    waiting = [sys.executable, "-c", "input()"]
    keep.append(subprocess.Popen(waiting, stdin=subprocess.PIPE))
""",
    "job": """
    from workbench.app.jobs import Job, Task
    import time

    def work():
        end = time.monotonic() + 4
        while time.monotonic() < end:
            yield

    keep.append(Job(Task("forever", work)))
    keep[-1].start()
""",
}
ENDING = """
def teardown_module():
    for one in keep:
        if hasattr(one, "kill"):
            one.kill()
            one.stdin.close()
        one.wait()
"""


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_fails_its_test(tmp_path, leak):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    body = f"keep = []\n\n\ndef test_leak(qapp):{LEAKS[leak]}\n{ENDING}"
    (tmp_path / "tests" / "test_leak.py").write_text(body)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed, 1 error" in done.stdout
    assert f"{leak} " in done.stdout
