"""Questions to the learning program that leave nothing behind: an order in, an answer out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from workbench.app.programs.processes import BEAT, LearningFault, LearningProcess
from workbench.domain.assessments import ORDER_FILE
from workbench.domain.errors import KnownError
from workbench.domain.reports import Broken, Report

Answer = TypeVar("Answer", bound=Report)


def ask(
    mode: str,
    order: msgspec.Struct,
    files: Mapping[str, bytes],
    parent: Path,
    wanted: type[Answer],
) -> Generator[object | None, None, Answer]:
    """Start the program with `--mode` on a passing folder in `parent` that holds the order and the
    files; yields its reports and gives the one that is `wanted`.

    Closing the generator ends the program. Raises KnownError for the world's reasons.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{mode}-", dir=parent))
    try:
        (folder / ORDER_FILE).write_bytes(msgspec.json.encode(order))
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return (yield from _asked(mode, folder, wanted))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _asked(mode: str, folder: Path, wanted: type[Answer]) -> Generator[object | None, None, Answer]:
    process = LearningProcess([str(folder), f"--{mode}"])
    answer: Answer | None = None
    broken: Broken | None = None
    try:
        while not process.ended:
            report = process.report(BEAT)
            if isinstance(report, wanted):
                answer = report
            elif isinstance(report, Broken):
                broken = report
            yield report
    finally:
        process.end()
    if answer is not None:
        return answer
    if broken is not None and not broken.traceback:
        raise KnownError(broken.sentence, broken.remedy)
    raise LearningFault(process.errors if broken is None else broken.traceback)
