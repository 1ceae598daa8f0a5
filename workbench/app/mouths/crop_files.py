"""Mouth crops written out as a folder of squares per expression."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workbench.app.jobs import Done, Failed, Task, run_here
from workbench.app.session import Session
from workbench.domain.crops import Crop
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Note, Progress
from workbench.domain.text import Message
from workbench.files import make_folder
from workbench.vision.mouths import save_square

UNLABELLED = "unlabelled"
CHUNK = 16  # crops between two chances to stop


@dataclass(frozen=True)
class _Square:
    path: Path
    rect: Rect
    target: Path


def save_crops_task(session: Session, folder: Path, label_set: str = "expression") -> Task[int]:
    """The task that writes every usable crop to `folder/LABEL/NAME_ID.png`, 128 × 128 pixels;
    crops without a label go to `unlabelled`. Ends Done(number written)."""
    crops = [crop for crop in session.store.crops.get(session.store.crops.ids()) if crop.usable]
    rows = {row.id: row.path for row in session.store.images.rows({crop.image for crop in crops})}
    labels = session.store.labels.of_crops([crop.id or 0 for crop in crops], label_set)
    squares = [
        _Square(Path(rows[crop.image]), crop.rect, folder / _place(crop, rows[crop.image], labels))
        for crop in crops
        if crop.rect is not None and rows.get(crop.image)
    ]

    def work() -> Generator[object | None, None, int]:
        return (yield from _saving(squares))

    return Task(Message("Save mouth crops"), work, kind="save crops")


def write_crops(session: Session, folder: Path) -> int:
    """Carry out `save_crops_task` here and now; the number of crops written."""
    outcome = run_here(save_crops_task(session, folder))
    if isinstance(outcome, Failed):
        raise KnownError(outcome.sentence, outcome.remedy)
    return outcome.value if isinstance(outcome, Done) else 0


def _saving(squares: list[_Square]) -> Generator[object | None, None, int]:
    saved = 0
    for target in {square.target.parent for square in squares}:
        make_folder(target)
    with ThreadPoolExecutor() as pool:
        for at in range(0, len(squares), CHUNK):
            for failure in pool.map(_save, squares[at : at + CHUNK]):
                saved += failure is None
                if failure is not None:
                    yield Note(
                        text=Message("{path}: {reason}", path=failure.path, reason=failure.reason),
                        warning=True,
                    )
            yield Progress(done=min(at + CHUNK, len(squares)), total=len(squares))
    return saved


def _save(square: _Square) -> SkippedFile | None:
    try:
        save_square(square.path, square.rect, square.target)
    except KnownError as error:
        return SkippedFile(str(square.path), error.sentence)
    return None


def _place(crop: Crop, path: str, labels: Mapping[int, tuple[str, ...]]) -> str:
    label = ", ".join(labels.get(crop.id or 0, ())) or UNLABELLED
    return f"{_file_name(label)}/{_file_name(Path(path).stem)}_{crop.id}.png"


def _file_name(text: str) -> str:
    """`text` as a file name on every system."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", text).strip(". ")[:100] or "_"
