"""A warning, of Python or of Qt, fails the test it appears in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CAUSES = {
    "a warning of Python": "import warnings\n    warnings.warn('not as it should be')",
    "a warning of Qt": "from PySide6.QtCore import qWarning\n    qWarning('not as it should be')",
    "an unknown marker": "pytest.mark.nonsense(test_cause)",
}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_fails_a_test(tmp_path, cause):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    body = f"import pytest\n\n\ndef test_cause():\n    {CAUSES[cause]}\n"
    (tmp_path / "tests" / "test_cause.py").write_text(body)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
