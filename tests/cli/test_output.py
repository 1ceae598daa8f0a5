"""Output of commands: aligned tables, strict JSON, one progress line."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import sys
import threading
from types import ModuleType

import click
import numpy as np
import pytest

from workbench.app.jobs import Task
from workbench.cli import COMMANDS
from workbench.cli.command import Output, aligned, as_json_values, run
from workbench.cli.progress import CommandInterrupted, ProgressLine, carry_out, sentence
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.reports import Epoch, Note, Progress, Step
from workbench.domain.text import Message


def test_a_table_is_aligned_with_numbers_flush_right():
    lines = aligned(("part", "images", "top-1"), [("train", 7, 0.5), ("test", 1200, None)])
    assert lines == [
        "part   images   top-1",
        "train       7  0.5000",
        "test     1200       –",
    ]


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_stays_on_one_line_of_a_terminal():
    stream = Terminal()
    line = ProgressLine(stream)
    line.show(Progress(done=1, total=20, text="reading", eta=65.2))
    line.show(Note(text="half of it", warning=True))
    line.clear()
    written = stream.getvalue()
    assert written.startswith("\rreading · 1/20 · 1:05 left")
    assert "warning: half of it\n" in written


def test_a_file_gets_lines_now_and_then():
    stream = io.StringIO()
    line = ProgressLine(stream)
    for done in range(50):
        line.show(Progress(done=done, total=50))
    assert stream.getvalue() == "0/50\n"


def test_reports_of_a_training_become_text():
    step = Step(
        epoch=2,
        epochs=9,
        step=3,
        steps=10,
        loss=0.5,
        learning_rate=0.1,
        images_per_second=80.4,
        eta=3700,
    )
    assert sentence(step) == "epoch 2/9 · step 3/10 · loss 0.500 · 80 images/s · 1:01:40 left"
    epoch = Epoch(
        epoch=2,
        epochs=9,
        train_loss=0.5,
        train_accuracy=0.75,
        validation_accuracy=0.5,
        learning_rate=0.1,
        images_per_second=80,
        seconds=3,
        eta=9,
    )
    assert sentence(epoch).startswith("epoch 2/9 · loss 0.500 · accuracy 75.0% · validation 50.0%")


def test_a_job_is_carried_out_to_its_value():
    def work():
        yield Progress(done=1, total=1)
        return 42

    assert carry_out(Task("count", work)) == 42


def test_an_expected_error_of_a_job_is_raised():
    def work():
        yield None
        raise KnownError("No room.", "Make some.")

    with pytest.raises(KnownError, match="No room"):
        carry_out(Task("fill", work))


def test_ctrl_c_stops_a_job_in_order():
    ended = []

    def work():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                yield None
        finally:
            ended.append(True)

    with pytest.raises(CommandInterrupted):
        carry_out(Task("wait", work))
    assert ended == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("ending", "code", "keys"),
    [
        (CommandInterrupted({"status": "paused"}), 130, {"status"}),
        (KeyboardInterrupt(), 130, {"status"}),
        (KnownError("The disk is full.", "Make room."), 1, {"error", "remedy"}),
        (ValueRefused("epochs", 0, "≥ 1"), 2, {"error"}),
        (OSError(28, "No space left on device"), 1, {"error"}),
        (click.UsageError("no such option"), 2, {"error"}),
    ],
)
def test_every_ending_has_its_exit_code_and_object(monkeypatch, capsys, ending, code, keys):
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
    assert capsys.readouterr().out.strip() == ""


def json_flag():
    return click.Option(["--json"], is_flag=True)


def test_ctrl_c_in_the_last_moment_of_a_job_is_kept_for_the_next_one():
    def work():
        yield None
        os.kill(os.getpid(), signal.SIGINT)
        return "done"

    stop = threading.Event()
    assert carry_out(Task(Message("Work"), work), stop) == "done"
    assert stop.is_set()
    with pytest.raises(CommandInterrupted):
        carry_out(Task(Message("Next"), work), stop)
