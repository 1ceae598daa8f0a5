"""Files and functions stay short enough to be read in one go."""

from pathlib import Path

import pytest

from tests.guards.sizes import complaints

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("folder", ["workbench", "packaging", "tests/gallery"])
def test_files_and_functions_are_within_their_bounds(folder):
    assert complaints(ROOT / folder) == []


def test_the_check_sees_what_is_too_long(tmp_path):
    (tmp_path / "utils.py").write_text('"""Why."""\n')
    (tmp_path / "mute.py").write_text("value = 1\n")
    (tmp_path / "long.py").write_text('"""Why."""\n' + "value = 1\n" * 500)
    body = "    value = 1\n" * 40
    (tmp_path / "deep.py").write_text(f'"""Why."""\n\n\ndef deep() -> None:\n{body}')
    assert complaints(tmp_path) == [
        "deep.py: deep has 41 lines, allowed 40",
        "long.py: 501 lines, allowed 500",
        "mute.py: opens without saying why it exists",
        "utils.py: its name says nothing",
    ]
