"""The protocol with the learning program, on small programs in its place: lines, ends, crashes."""

import contextlib
import json
import os
import sys

import msgspec
import pytest

from tests.fixtures.systems import posix
from workbench.app import learner
from workbench.app.jobs import Failed, Task, run_here
from workbench.app.learner import (
    ChildProcess,
    LearningFault,
    RequestQueue,
    ServingProcess,
    Transcript,
    reported,
    run_request,
)
from workbench.domain.assessments import REQUEST_FILE
from workbench.domain.errors import KnownError
from workbench.domain.reports import ErrorReport, Finished, Note, Progress, encode_report
from workbench.domain.requests import (
    AnswerLine,
    Describe,
    Going,
    Refused,
    decode_request_line,
    encode_line,
)

decode = msgspec.json.Decoder(int).decode
NOTE = encode_report(Note(text="begun")).decode()


@pytest.fixture
def program(monkeypatch):
    """Puts Python code in the place of the learning program."""

    def use(code):
        monkeypatch.setattr(learner, "learning_command", lambda: [sys.executable, "-c", code])

    return use


def ended(generator):
    """All that a generator yields but heartbeats, and what it returns."""
    found = []
    while True:
        try:
            value = next(generator)
        except StopIteration as stop:
            return found, stop.value
        found += [value] if value is not None else []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_read_however_the_bytes_arrive(size):
    data = b"1\n22\n\nnoise \xc3\xa4\n333\n4"
    transcript = Transcript(decode)
    found = []
    for start in range(0, len(data), size):
        found += transcript.add_output(data[start : start + size])
    assert found == [1, 22, 333]
    assert transcript.errors == "noise ä\n"
    assert transcript.add_output(b"4\n5\n") == [44, 5]


def test_only_the_end_of_the_errors_is_kept():
    transcript = Transcript(decode)
    for number in range(9000):
        transcript.add_errors(f"{number}\n".encode())
    assert transcript.errors.endswith("8998\n8999\n")
    assert len(transcript.errors) == learner.KEPT_ERRORS


def test_a_child_writes_reads_and_ends_in_order(program):
    program("import sys\nfor line in sys.stdin: print(int(line) + 1, flush=True)\nprint(7, end='')")
    child = ChildProcess([], decode)
    child.send(b"1\n")
    assert child.read(60) == 2
    child.send(b"41\n")
    child.close_input()
    assert [child.read(60) for _ in range(3)] == [42, 7, None]
    assert child.ended
    assert child.wait(60) == 0
    child.send(b"3\n")  # nobody is there, which is no error
    child.end()


@posix
def test_what_a_child_does_not_read_blocks_nobody(program):
    program("import time; print(1, flush=True); time.sleep(600)")
    with ChildProcess([], decode) as child:
        assert child.read(60) == 1
        child.send(b"x" * 5_000_000)
        pid = child.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_wanted_report_is_returned_and_the_others_are_yielded(program):
    program(f"print({NOTE!r}); print('no report')")
    assert ended(reported([], Note))[1] == Note(text="begun")
    program(f"print({NOTE!r}); import sys; print('its last words', file=sys.stderr); sys.exit(3)")
    with pytest.raises(LearningFault, match=r"code 3\.\s+its last words"):
        ended(reported([], Finished))


@posix
def test_a_child_that_the_system_ends_is_no_fault_of_ours(program):
    program("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(KnownError, match="signal 9") as caught:
        ended(reported([], Finished))
    assert "memory" in caught.value.remedy
    with ServingProcess() as serving, pytest.raises(KnownError, match="signal 9"):
        ended(serving.request(Describe(run="x")))


def test_a_crash_while_serving_reports_the_last_error_output(program):
    program("import sys; sys.stdin.readline(); 1 / 0")
    with ServingProcess() as serving, pytest.raises(LearningFault, match="ZeroDivisionError"):
        ended(serving.request(Describe(run="x")))


@pytest.mark.parametrize(("traceback", "kind"), [("", KnownError), ("Traceback", LearningFault)])
def test_a_broken_report_is_raised(program, traceback, kind):
    broken = ErrorReport(sentence="It broke.", remedy="Fix it.", traceback=traceback)
    program(f"print({encode_report(broken).decode()!r})")
    with pytest.raises(kind, match=r"It broke\."):
        ended(reported([], Finished))


def test_a_refused_request_is_raised(program):
    refused = encode_line(AnswerLine(1, Refused(sentence="No network.", remedy="Train.")))
    program(f"import sys; sys.stdin.readline(); print({refused.decode().strip()!r}, flush=True)")
    with ServingProcess() as serving, pytest.raises(KnownError, match=r"No network\."):
        ended(serving.request(Describe(run="x")))


def test_a_request_is_made_with_its_files_in_a_folder_that_is_removed(program, tmp_path):
    program(
        "import json, pathlib, sys; folder = pathlib.Path(sys.argv[1])\n"
        "files = {one.name: one.read_text() for one in sorted(folder.iterdir())}\n"
        "text = json.dumps([folder.name[:8], sys.argv[2:], files])\n"
        "print(json.dumps({'report': 'note', 'text': text}))"
    )
    parent = tmp_path / "a" / "runs"
    steps = run_request("colour", Describe(run="seven"), {"list.txt": b"one"}, parent, Note)
    name, arguments, files = json.loads(ended(steps)[1].text)
    assert (name, arguments, files["list.txt"]) == (".colour-", ["--colour"], "one")
    assert json.loads(files[REQUEST_FILE])["run"] == "seven"
    assert list(parent.iterdir()) == []


def test_closing_the_reports_ends_the_program(program):
    program(f"import os, time; print({NOTE!r}, flush=True); time.sleep(600)")
    reports = reported([], Finished)
    while next(reports) is None:
        pass
    with contextlib.closing(reports):
        pass  # the leak guard finds a child that lives on


def test_a_program_that_cannot_be_started_is_reported_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(learner, "learning_command", lambda: [str(tmp_path)])
    with pytest.raises(KnownError, match=r"cannot be started: permission denied\."):
        ServingProcess()
    outcome = run_here(Task("Train", lambda: reported([], Finished)))
    assert isinstance(outcome, Failed)
    assert "cannot be started" in outcome.sentence
    assert outcome.report == ""


class TestRequestQueue:
    """One request after the other, whatever becomes of the program."""

    @pytest.fixture
    def requests(self):
        made = RequestQueue()
        assert [made.add(Describe(run=str(at))) for at in range(4)] == [1, 2, 3, 4]
        return made

    @staticmethod
    def send(requests):
        assert requests.has_next
        return decode_request_line(requests.next_line()).id

    def test_the_next_is_sent_when_the_last_answer_came(self, requests):
        assert self.send(requests) == 1
        assert not requests.has_next
        going = Going(progress=Progress(done=1))
        assert requests.receive(AnswerLine(1, going, last=False))
        assert not requests.has_next
        assert requests.receive(AnswerLine(1, going))
        assert self.send(requests) == 2

    def test_what_is_cancelled_is_not_sent_and_its_answer_not_wanted(self, requests):
        assert self.send(requests) == 1
        requests.cancel([1, 3])
        assert not requests.receive(AnswerLine(1, Refused(sentence="")))
        assert self.send(requests) == 2
        assert requests.receive(AnswerLine(2, Refused(sentence="")))
        assert self.send(requests) == 4
        requests.cancel()
        assert not requests.receive(AnswerLine(4, Refused(sentence="")))
        assert not requests.has_next

    def test_only_what_was_not_sent_is_withdrawn(self, requests):
        assert self.send(requests) == 1
        assert requests.withdraw([1, 2, 9]) == {2}
        assert requests.receive(AnswerLine(1, Refused(sentence="")))
        assert self.send(requests) == 3

    def test_a_crash_refuses_what_was_sent_and_a_second_one_the_rest(self, requests):
        assert self.send(requests) == 1
        assert [number for number, _ in requests.crashed()] == [1]
        assert self.send(requests) == 2
        requests.receive(AnswerLine(2, Refused(sentence="")))  # an answer between: not in a row
        assert self.send(requests) == 3
        requests.cancel([3])
        assert requests.crashed() == []
        assert requests.add(Describe(run="4")) == 5
        assert self.send(requests) == 4
        assert [number for number, _ in requests.crashed()] == [4, 5]
        assert not requests.has_next
        assert [requests.add(Describe(run=str(at))) for at in (5, 6)] == [6, 7]
        assert self.send(requests) == 6
        assert [number for number, _ in requests.crashed()] == [6]  # counted from the start again

    def test_all_are_refused_where_no_program_starts(self, requests):
        assert self.send(requests) == 1
        refused = requests.refuse_all(KnownError("No.", "Wait."))
        assert refused == [(at, Refused(sentence="No.", remedy="Wait.")) for at in (1, 2, 3, 4)]
        assert not requests.has_next
