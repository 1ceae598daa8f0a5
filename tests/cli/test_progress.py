"""Progress of jobs: reports in words, one line of a terminal, signals that stop a job in order."""

from __future__ import annotations

import io
import os
import signal
import threading
from pathlib import Path

import msgspec
import pytest

from tests.fixtures.systems import posix
from workbench.app.jobs import Cancelled, Done, Task
from workbench.cli.progress import (
    CommandInterrupted,
    ProgressLine,
    carry_out,
    ctrl_c,
    sentence,
    watch,
)
from workbench.domain.errors import KnownError
from workbench.domain.reports import Epoch, Note, Progress, Report, Started, Step
from workbench.domain.text import Message

EPOCH = Epoch(
    epoch=2,
    epochs=9,
    train_loss=0.5,
    train_accuracy=0.756,
    learning_rate=0.1,
    images_per_second=80,
    seconds=3,
    eta=9,
)

STEP = Step(
    epoch=2,
    epochs=9,
    step=3,
    steps=10,
    loss=0.5,
    learning_rate=0.1,
    images_per_second=80.4,
    eta=3700,
)


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (Progress(done=3), "3"),
        (Progress(done=3, total=8), "3/8"),
        (Progress(done=0, total=8, text=Message("reading")), "reading · 0/8"),
        (Progress(done=3, eta=59.6), "3 · 1:00 left"),
        (Progress(done=3, eta=0), "3 · 0:00 left"),
        (Progress(done=3, eta=-5), "3 · 0:00 left"),
        (Progress(done=3, eta=3599), "3 · 59:59 left"),
        (Progress(done=3, eta=3600), "3 · 1:00:00 left"),
        (Progress(done=3, eta=7384), "3 · 2:03:04 left"),
        (Note(text=Message("a note")), "a note"),
        (Note(text=Message("a note"), warning=True), "warning: a note"),
        (STEP, "epoch 2/9 · step 3/10 · loss 0.500 · 80 images/s · 1:01:40 left"),
        (EPOCH, "epoch 2/9 · loss 0.500 · accuracy 75.6% · 0:09 left"),
        (
            msgspec.structs.replace(EPOCH, validation_accuracy=0.5),
            "epoch 2/9 · loss 0.500 · accuracy 75.6% · validation 50.0% · 0:09 left",
        ),
        (Report(), ""),
    ],
)
def test_reports_in_words(report: Report, text: str) -> None:
    assert sentence(report) == text


def test_a_start_names_device_precision_batch_and_images_of_each_part() -> None:
    started = Started(
        device="CPU",
        precision="float32",
        batch=16,
        images={"train": 70, "test": 30},
        parameters=9,
        trained_parameters=5,
    )
    assert sentence(started) == "CPU · float32 · batch 16 · 70 train, 30 test"


class Terminal(io.TextIOWrapper):
    """A terminal that shows what was flushed."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    def isatty(self) -> bool:
        return True

    def getvalue(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


def test_a_shorter_line_covers_the_longer_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.cli.progress.REDRAW", 0.0)
    stream = Terminal()
    line = ProgressLine(stream)
    line.show(Progress(done=1000))
    line.show(Progress(done=7))
    assert stream.getvalue() == "\r1000\r7   "
    line.clear()
    assert stream.getvalue() == "\r1000\r7   \r \r"
    line.clear()
    assert stream.getvalue() == "\r1000\r7   \r \r"


def test_a_terminal_is_not_redrawn_at_once_and_lasting_lines_always_come() -> None:
    stream = Terminal()
    line = ProgressLine(stream)
    for done in range(3):
        line.show(Progress(done=done))
    assert stream.getvalue() == "\r0"
    line.show(EPOCH)
    line.show(Note(text=Message("a note")))
    line.show(Report())
    assert stream.getvalue() == f"\r0\r \r{sentence(EPOCH)}\na note\n"


def test_a_file_gets_whole_lines_and_nothing_to_clear(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as stream:
        line = ProgressLine(stream)
        line.show(Progress(done=1))
        line.clear()
        line.print("said")
        line.print("")
        assert (tmp_path / "log").read_text() == "1\nsaid\n"


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_are_caught_within_the_block_only(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    pressed = []
    with ctrl_c(lambda: pressed.append(number)):
        os.kill(os.getpid(), number)
    assert pressed == [number]
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_leaves_the_signals_alone() -> None:
    before, inside = signal.getsignal(signal.SIGINT), []

    def block() -> None:
        with ctrl_c(lambda: None):
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert inside == [before]


@posix
def test_what_a_signal_says_is_printed_before_the_next_report(capsys) -> None:
    stop = threading.Event()

    def work():
        os.kill(os.getpid(), signal.SIGINT)
        yield Note(text=Message("reported"))
        os.kill(os.getpid(), signal.SIGINT)
        return 5

    said = iter(["pausing", None])
    outcome = watch(Task("work", work), lambda: next(said), stop)
    assert outcome == Done(5)
    assert capsys.readouterr().err == "pausing\nreported\n"


@posix
def test_texts_after_the_last_report_are_printed_too(capsys) -> None:
    def work():
        yield None
        os.kill(os.getpid(), signal.SIGINT)

    watch(Task("work", work), lambda: "stopping", threading.Event())
    assert capsys.readouterr().err == "stopping\n"


def test_a_stopped_job_is_cancelled() -> None:
    stop = threading.Event()
    stop.set()

    def work():
        while True:
            yield None

    assert isinstance(watch(Task("wait", work), lambda: None, stop), Cancelled)


def test_a_job_s_end_is_its_value_or_an_error() -> None:
    def fail(error: Exception):
        def work():
            yield None
            raise error

        return Task("fail", work)

    with pytest.raises(KnownError) as known:
        carry_out(fail(KnownError("No room.", "Make some.")))
    assert (known.value.sentence, known.value.remedy) == ("No room.", "Make some.")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        carry_out(fail(ZeroDivisionError()))


@posix
def test_ctrl_c_stops_a_job_in_order() -> None:
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


@posix
def test_ctrl_c_in_the_last_moment_of_a_job_is_kept_for_the_next_one() -> None:
    def work():
        yield None
        os.kill(os.getpid(), signal.SIGINT)
        return "done"

    stop = threading.Event()
    assert carry_out(Task(Message("Work"), work), stop) == "done"
    assert stop.is_set()
    with pytest.raises(CommandInterrupted):
        carry_out(Task(Message("Next"), work), stop)


def test_an_interrupted_command_has_a_result() -> None:
    assert CommandInterrupted().result == {"status": "stopped"}
    assert CommandInterrupted({"status": "paused"}).result == {"status": "paused"}
