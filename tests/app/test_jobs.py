"""A job runs in its own thread, emits its values in order in the owner's, and ends exactly once."""

import gc
import threading

import pytest

from workbench.app.jobs import (
    Cancelled,
    Done,
    Failed,
    JobResult,
    JobRunner,
    Task,
    apply_each,
    applying,
    run_here,
    when_done,
)
from workbench.domain.errors import KnownError
from workbench.domain.reports import Progress


@pytest.fixture
def board(qapp):
    made = JobRunner()
    yield made
    made.stop_all_and_wait()


def counting(count):
    def work():
        for i in range(count):
            yield Progress(done=i, total=count)
        return count

    return work


def forever():
    yield "under way"
    while True:
        yield None
        threading.Event().wait(0.001)


def raising(error):
    def work():
        yield 1
        raise error

    return work


def run(board, qtbot, task):
    """The job after its one end, and all ends that were emitted."""
    ends = []
    board.ended.connect(lambda job, outcome: ends.append((job, outcome)))
    with qtbot.waitSignal(board.ended, timeout=10_000):
        job = board.start(task)
    qtbot.waitUntil(lambda: not job.isRunning())
    assert [outcome for _, outcome in ends] == [job.outcome]
    return job


def started(board, qtbot, work):
    """A job whose generator has yielded its first value."""
    with qtbot.waitSignal(board.reported, timeout=10_000):
        return board.start(Task("long", work))


def test_values_are_applied_in_order_in_the_owners_thread_before_the_end(board, qtbot):
    reported = []

    def apply(value):
        reported.append((value.done, threading.current_thread() is threading.main_thread()))

    finished = []
    task = Task("count", counting(500), apply, lambda outcome: finished.append(len(reported)))
    job = run(board, qtbot, task)
    assert job.outcome == Done(500)
    assert reported == [(i, True) for i in range(500)]
    assert finished == [500]
    assert board.jobs() == ()


def test_the_work_runs_in_another_thread(board, qtbot):
    where = []

    def work():
        where.append(threading.current_thread())
        yield

    run(board, qtbot, Task("where", work))
    assert where[0] is not threading.main_thread()


def test_reports_are_reported_by_job_and_by_board(board, qtbot):
    heard = []
    board.started.connect(lambda job: heard.append(("started", job.task.title)))
    board.reported.connect(lambda job, value: heard.append((job.task.title, value.done)))
    run(board, qtbot, Task("count", counting(2)))
    assert heard == [("started", "count"), ("count", 0), ("count", 1)]


def test_a_stopped_job_closes_its_generator(board, qtbot):
    closed = []

    def work():
        try:
            yield from forever()
        finally:
            closed.append(True)

    job = started(board, qtbot, work)
    with qtbot.waitSignal(job.ended, timeout=10_000) as ended:
        job.stop()
    assert ended.args == [Cancelled()]
    assert closed == [True]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory"),
        StopIteration("odd"),
        GeneratorExit(),
        KeyboardInterrupt(),
        SystemExit(3),
        MemoryError(),
    ],
    ids=repr,
)
def test_whatever_a_generator_raises_ends_the_job_as_failed(board, qtbot, error):
    outcome = run(board, qtbot, Task("odd work", raising(error))).outcome
    assert isinstance(outcome, Failed)
    assert outcome.sentence == "Unexpected error in “odd work”."
    assert type(error).__name__ in outcome.report


def test_the_worlds_error_is_reported_in_its_sentence(board, qtbot):
    error = KnownError("disk.jpg is gone.", "Plug the disk in.")
    outcome = run(board, qtbot, Task("read", raising(error))).outcome
    assert outcome == Failed("disk.jpg is gone.", "Plug the disk in.", "")


def broken_closing():
    try:
        yield from forever()
    finally:
        raise KnownError("The file could not be closed.")


def deaf():
    while True:
        try:
            yield "under way"
        except GeneratorExit:
            yield


@pytest.mark.parametrize("work", [broken_closing, deaf])
def test_a_generator_that_cannot_be_closed_ends_as_failed(board, qtbot, work):
    job = started(board, qtbot, work)
    job.stop()
    qtbot.waitUntil(lambda: job.outcome is not None, timeout=10_000)
    assert isinstance(job.outcome, Failed)


def test_work_that_makes_no_generator_fails(board, qtbot):
    assert run(board, qtbot, Task("odd", lambda: 5)).outcome.report


def test_an_error_while_applying_stops_the_work_and_is_its_end(board, qtbot):
    applied = []

    def apply(value):
        applied.append(value.done)
        if value.done == 3:
            raise KnownError("The disk is full.")

    job = run(board, qtbot, Task("import", counting(100_000), apply))
    assert job.outcome == Failed("The disk is full.")
    assert applied == [0, 1, 2, 3]


def test_an_error_while_finishing_is_the_end(board, qtbot):
    def finish(outcome):
        raise KnownError(f"after {outcome.value}")

    assert run(board, qtbot, Task("x", counting(2), finish=finish)).outcome == Failed("after 2")


def test_a_job_nobody_holds_runs_to_its_end(board, qtbot):
    done = []
    board.start(Task("alone", counting(2000), finish=done.append))
    gc.collect()
    qtbot.waitUntil(lambda: bool(done), timeout=10_000)
    assert done == [Done(2000)]


def test_all_jobs_are_stopped_and_waited_for(board):
    ends = []
    jobs = [board.start(Task(str(i), forever, finish=ends.append)) for i in range(5)]
    board.start(Task("short", counting(3), finish=ends.append))
    board.stop_all_and_wait()
    assert board.jobs() == ()
    assert not any(job.isRunning() for job in jobs)
    assert len(ends) == 6
    assert ends.count(Cancelled()) >= 5


def test_a_job_started_by_the_end_of_another_is_stopped_as_well(board):
    ends = []

    def start_next(outcome):
        ends.append(outcome)
        if len(ends) == 1:
            board.start(Task("second", forever, finish=ends.append))

    board.start(Task("first", forever, finish=start_next))
    board.stop_all_and_wait()
    assert ends == [Cancelled(), Cancelled()]


def test_many_jobs_end_once_each(board, qtbot):
    ends = []
    board.ended.connect(lambda job, outcome: ends.append(job.task.title))
    for i in range(40):
        board.start(Task(str(i), counting(i)))
    qtbot.waitUntil(lambda: len(ends) == 40, timeout=20_000)
    assert sorted(ends, key=int) == [str(i) for i in range(40)]


def test_run_here_is_the_same_without_a_thread():
    applied, heard = [], []
    task = Task("count", counting(3), applied.append, heard.append)
    outcome = run_here(task, heard.append)
    assert outcome == Done(3)
    assert [value.done for value in applied] == [0, 1, 2]
    assert heard == [*applied, Done(3)]


def test_only_the_value_of_a_job_that_was_done_is_kept():
    kept, stopped = [], threading.Event()
    stopped.set()
    run_here(Task("x", raising(KnownError("no")), finish=when_done(kept.append)))
    run_here(Task("x", forever, finish=when_done(kept.append)), stop=stopped)
    assert kept == []
    run_here(Task("x", counting(3), finish=when_done(kept.append)))
    assert kept == [3]


def test_values_of_one_kind_are_applied_and_all_are_reported():
    applied, heard = [], []

    def work():
        yield "one"
        yield 2
        yield "three"

    run_here(Task("x", work, applying(str, applied.append)), heard.append)
    assert applied == ["one", "three"]
    assert heard == ["one", 2, "three"]


def test_results_are_applied_but_not_reported(board, qtbot):
    applied, reported, printed = [], [], []
    result, report = JobResult(), Progress(done=1)

    def work():
        yield result
        yield report

    board.reported.connect(lambda job, value: reported.append(value))
    task = Task("x", work, applied.append)
    run(board, qtbot, task)
    run_here(task, printed.append)
    assert applied == [result, report] * 2
    assert reported == printed == [report]


def test_run_here_stops_and_fails_like_a_job():
    stop = threading.Event()
    task = Task("long", forever, finish=lambda outcome: None)
    stop.set()
    assert run_here(task, stop=stop) == Cancelled()
    assert run_here(Task("x", raising(KnownError("no")))) == Failed("no")
    assert run_here(Task("x", raising(ValueError("no")))).report


def test_an_interrupt_closes_the_work_and_propagates():
    closed, finished = [], []

    def work():
        try:
            yield 1
        finally:
            closed.append(True)

    def interrupt(value):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_here(Task("x", work, interrupt, finished.append))
    assert closed == [True]
    assert finished == [Cancelled()]


def test_each_value_is_applied_by_all_handlers_of_its_type_in_order():
    def work():
        yield "one"
        yield 2

    applied = []
    apply = apply_each(
        lambda value: applied.append(("any", value)),
        applying(int, lambda number: applied.append(("number", number))),
        applying(str, lambda text: applied.append(("text", text))),
    )
    run_here(Task("x", work, apply))
    assert applied == [("any", "one"), ("text", "one"), ("any", 2), ("number", 2)]
