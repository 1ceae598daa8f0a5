"""Output of commands: aligned tables, strict JSON, one progress line."""

from __future__ import annotations

import io
import json
import math
import sys
from types import ModuleType

import click
import numpy as np
import pytest

from workbench.cli import COMMANDS
from workbench.cli.command import Output, aligned, as_json_values, run
from workbench.cli.progress import CommandInterrupted
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.reports import Note
from workbench.domain.text import Message


def test_a_table_is_aligned_with_numbers_flush_right():
    lines = aligned(("part", "images", "top-1"), [("train", 7, 0.5), ("test", 1200, None)])
    assert lines == [
        "part   images   top-1",
        "train       7  0.5000",
        "test     1200       –",
    ]


def test_a_column_with_texts_is_flush_left_and_unknown_numbers_are_dashes():
    lines = aligned(("images", "x"), [(7, math.nan), ("several", 1.0)])
    assert lines == ["images        x", "7             –", "several  1.0000"]


def test_each_line_is_written_out_at_once(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8", newline="\n"))
    Output(as_json=False).print("first")
    assert written.getvalue() == b"first\n"


def test_json_prints_only_the_object_to_stdout(capsys):
    out = Output(as_json=True)
    out.print("for people")
    out.table(("a",), [(1,)])
    out.finish({"top1": math.nan, "n": np.int64(3), "x": np.float32(0.5), "inner": {"b": [1, "é"]}})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"top1": None, "n": 3, "x": 0.5, "inner": {"b": [1, "é"]}}
    assert printed.count("\n") == 1


def test_messages_of_a_structure_are_text_in_json():
    message = Message("{path} cannot be read.", path="a.png")
    values = as_json_values(Note(text=message, warning=True))
    assert (values["text"], type(values["text"])) == ("a.png cannot be read.", str)


@pytest.mark.parametrize(
    ("ending", "code", "keys", "text"),
    [
        (CommandInterrupted({"status": "paused"}), 130, {"status"}, "Stopped."),
        (KeyboardInterrupt(), 130, {"status"}, "Stopped."),
        (
            KnownError("The disk is full.", "Make room."),
            1,
            {"error", "remedy"},
            "error: The disk is full. Make room.",
        ),
        (ValueRefused("epochs", 0, "≥ 1"), 2, {"error"}, "epochs"),
        (OSError(28, "No space left on device"), 1, {"error"}, "error: "),
        (click.UsageError("no such option"), 2, {"error"}, "no such option"),
        (PermissionError(13, "Permission denied", "a.png"), 1, {"error"}, "error: a.png: "),
        (ZeroDivisionError("by nothing"), 1, {"error", "remedy"}, "ZeroDivisionError: by nothing"),
        (ZeroDivisionError("by nothing"), 1, {"error"}, "This is a bug in the program."),
    ],
)
def test_every_ending_has_its_exit_code_and_object(monkeypatch, capsys, ending, code, keys, text):
    def end():
        raise ending

    added = ModuleType("workbench.cli.added")
    added.added_command = click.Command("added", callback=lambda **_: end(), params=[json_flag()])
    monkeypatch.setitem(sys.modules, added.__name__, added)
    monkeypatch.setitem(COMMANDS, "added", "added")
    assert run(["added", "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    assert keys <= set(json.loads(line))
    assert run(["added"]) == code
    shown = capsys.readouterr()
    assert shown.out.strip() == ""
    assert text in shown.err


def json_flag():
    return click.Option(["--json"], is_flag=True)
