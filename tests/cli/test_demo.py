"""The command `demo`: where it can show a window, and how it opens one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workbench.cli.demo import has_screen, show_window


@pytest.mark.parametrize(
    ("platform", "displays", "expected"),
    [
        ("linux", (), False),
        ("linux", ("DISPLAY",), True),
        ("linux", ("WAYLAND_DISPLAY",), True),
        ("darwin", (), True),
        ("win32", (), True),
    ],
)
def test_a_screen_is_named_by_the_system_or_its_variables(
    monkeypatch: pytest.MonkeyPatch, platform: str, displays: tuple[str, ...], expected: bool
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name in displays:
        monkeypatch.setenv(name, ":0")
    monkeypatch.setattr(sys, "platform", platform)
    assert has_screen() is expected


@pytest.mark.skipif(sys.platform == "win32", reason="scripts are started otherwise there")
@pytest.mark.parametrize(("frozen", "words"), [(False, ["-m", "workbench"]), (True, [])])
def test_the_window_is_opened_on_the_project_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen: bool, words: list[str]
) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.called"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    show_window(tmp_path / "Demo.workbench")
    called = Path(f"{program}.called").read_text().splitlines()
    assert called == [*words, str(tmp_path / "Demo.workbench")]
