"""The window's learning service answers by signal and without a loop, and survives its child."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.fixtures.systems import posix
from workbench.app.service import LearningService
from workbench.domain.errors import KnownError
from workbench.domain.requests import (
    Describe,
    Description,
    Explain,
    Explained,
    ImageInput,
    Refused,
    Score,
    Scored,
)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def service(qapp) -> Iterator[LearningService]:
    """One for all tests: starting torch takes seconds."""
    made = LearningService()
    with pytest.raises(KnownError):  # starts it before any test
        made.request_and_wait(Describe(run="nowhere"), 60)
    yield made
    made.close()


@pytest.fixture
def own_service(qapp) -> Iterator[LearningService]:
    made = LearningService()
    yield made
    made.close()


def test_answers_come_by_signal_one_after_another(
    qtbot, service: LearningService, run: Path, images: Sequence[Path]
) -> None:
    got: list[tuple[int, object]] = []
    take = service.answered.connect(lambda number, answer: got.append((number, answer)))
    some = tuple(ImageInput(str(path)) for path in images)
    first = service.request(Describe(run=str(run)))
    second = service.request(Explain(run=str(run), images=some))
    third = service.request(Score(run=str(run), images=some, batch=3))
    qtbot.waitUntil(lambda: len(got) == 4, timeout=60_000)
    assert [number for number, _ in got] == [first, second, third, third]
    assert [type(answer) for _, answer in got] == [Description, Explained, Scored, Scored]
    service.disconnect(take)


def test_it_works_without_an_event_loop(
    service: LearningService, run: Path, tmp_path: Path
) -> None:
    answer = service.request_and_wait(Describe(run=str(run)), 60)
    assert isinstance(answer, Description)
    with pytest.raises(KnownError, match="nowhere"):
        service.request_and_wait(Describe(run=str(tmp_path / "nowhere")), 60)
    with pytest.raises(KnownError, match="no answer within"):
        service.request_and_wait(Describe(run=str(run)), 0)
    assert isinstance(service.request_and_wait(Describe(run=str(run)), 60), Description)


@posix
def test_a_child_that_dies_is_replaced_and_its_request_refused(
    qtbot, own_service: LearningService, run: Path
) -> None:
    service = own_service
    service.request_and_wait(Describe(run=str(run)), 60)
    got: dict[int, object] = {}
    take = service.answered.connect(got.__setitem__)
    old = service.pid
    os.kill(old, signal.SIGSTOP)  # it cannot answer before it is killed
    lost = service.request(Describe(run=str(run)))
    waiting = service.request(Describe(run=str(run)))
    os.kill(old, signal.SIGKILL)
    qtbot.waitUntil(lambda: waiting in got, timeout=60_000)
    assert isinstance(got[lost], Refused)
    assert "unexpectedly" in got[lost].sentence
    assert isinstance(got[waiting], Description)
    assert service.pid not in (0, old)
    service.disconnect(take)


def test_cancelled_requests_are_not_answered(qtbot, service: LearningService, run: Path) -> None:
    got: list[int] = []
    take = service.answered.connect(lambda number, _answer: got.append(number))
    for _ in range(3):
        service.request(Describe(run=str(run)))
    service.cancel_pending()
    wanted = service.request(Describe(run=str(run)))
    qtbot.waitUntil(lambda: bool(got), timeout=60_000)
    assert got == [wanted]
    service.disconnect(take)


@posix
def test_closing_leaves_no_process(qapp, run: Path) -> None:
    service = LearningService()
    assert service.pid == 0  # nothing starts before it is asked
    service.request_and_wait(Describe(run=str(run)), 60)
    pid = service.pid
    assert alive(pid)
    service.close()
    assert not alive(pid)
    service.close()  # once more does no harm


def test_a_program_that_cannot_start_is_reported(
    qapp, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = LearningService()
    name = "workbench.app.service.learning_command"
    monkeypatch.setattr(name, lambda: ["/nonexistent/program"])
    with pytest.raises(KnownError, match="cannot be started"):
        service.request_and_wait(Describe(run=str(run)), 10)
