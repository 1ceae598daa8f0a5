"""Requests of the controlling process: lines on stdin, of which a stop is final."""

import os
import threading

import pytest

from workbench.learning.protocol import control as module
from workbench.learning.protocol.control import Control, ControlRequest

PAUSE, STOP = ControlRequest.PAUSE, ControlRequest.STOP
SOON = 10  # seconds until the thread that reads must have read


@pytest.fixture
def stdin():
    """The writing end of a pipe from which this process reads its stdin."""
    before = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    file = os.fdopen(writing, "wb", buffering=0)
    yield file
    file.close()
    os.dup2(before, 0)
    os.close(before)
    os.close(reading)


def listening(waited):
    """A control whose thread reads, and that thread."""
    control = Control()
    control.on_wait = waited
    threads = set(threading.enumerate())
    control.listen()
    (reader,) = set(threading.enumerate()) - threads
    assert reader.daemon
    return control, reader


def test_a_stop_is_final():
    control = Control()
    assert control.requested is None
    for request, requested in ((PAUSE, PAUSE), (STOP, STOP), (PAUSE, STOP)):
        control.request(request)
        assert control.requested is requested


def test_requests_that_wait_are_acknowledged_and_other_lines_ignored(stdin, monkeypatch):
    monkeypatch.setattr(module, "ACKNOWLEDGE_SECONDS", 0)
    waited, once = [], threading.Event()

    def wait(request):
        waited.append(request)
        once.set()

    control, reader = listening(wait)
    stdin.write(b"faster\n pause \r\nsto")
    assert once.wait(SOON)
    assert control.requested is PAUSE
    stdin.write(b"p\n")
    stdin.close()
    reader.join(SOON)
    assert waited == [PAUSE, STOP]
    assert control.requested is STOP


def test_the_end_of_stdin_pauses_and_what_was_handled_is_not_acknowledged(stdin):
    waited = []
    control, reader = listening(waited.append)
    control.handled.set()
    stdin.close()
    reader.join(SOON)
    assert control.requested is PAUSE
    assert waited == []


def test_a_request_that_is_handled_is_not_acknowledged(stdin):
    waited = []
    control, reader = listening(waited.append)
    control.handled.set()
    stdin.write(b"stop\n")
    stdin.close()
    reader.join(SOON)
    assert control.requested is STOP
    assert waited == []
