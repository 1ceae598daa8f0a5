"""Export of mouth crops as image files, with a folder for each expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workbench.app.jobs import Done, Failed, Steps, Task, run_here
from workbench.app.session import Session
from workbench.domain.crops import Crop
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.reports import Note, Progress
from workbench.domain.text import Message
from workbench.files import make_folder
from workbench.vision.mouths import save_crop

UNLABELLED = "unlabelled"
CHUNK = 16  # crops between two chances to stop


@dataclass(frozen=True)
class _CropFile:
    path: Path
    rect: Rect
    target: Path


def save_crops_task(session: Session, folder: Path, label_set: str = "expression") -> Task[int]:
    """A job that writes every usable crop to `folder/LABEL/NAME_ID.png` and ends Done(number).

    The files have 128 × 128 pixels; LABEL is `unlabelled` for crops without a label.
    """
    crops = [crop for crop in session.store.crops.get(session.store.crops.ids()) if crop.usable]
    rows = {row.id: row.path for row in session.store.images.rows({crop.image for crop in crops})}
    labels = session.store.labels.of_crops([crop.id or 0 for crop in crops], label_set)
    files = [
        _CropFile(Path(rows[crop.image]), crop.rect, folder / _name(crop, rows[crop.image], labels))
        for crop in crops
        if crop.rect is not None
    ]

    def work() -> Steps[int]:
        return (yield from _save_all(files))

    return Task(Message("Save mouth crops"), work, kind="save crops")


def write_crops(session: Session, folder: Path) -> int:
    """Run `save_crops_task` in this thread; return the number of files written.

    Raises KnownError if it fails.
    """
    outcome = run_here(save_crops_task(session, folder))
    if isinstance(outcome, Failed):
        raise KnownError(outcome.sentence, outcome.remedy)
    assert isinstance(outcome, Done)  # nothing stops it here
    return outcome.value


def _save_all(files: list[_CropFile]) -> Steps[int]:
    saved = 0
    for target in {file.target.parent for file in files}:
        make_folder(target)
    with ThreadPoolExecutor() as pool:
        for at in range(0, len(files), CHUNK):
            for failure in pool.map(_save, files[at : at + CHUNK]):
                saved += failure is None
                if failure is not None:
                    yield Note(text=failure, warning=True)
            yield Progress(done=min(at + CHUNK, len(files)), total=len(files))
    return saved


def _save(file: _CropFile) -> Message | None:
    """Write a file; return why the image could not be read, or None."""
    try:
        save_crop(file.path, file.rect, file.target)
    except KnownError as error:
        return error.sentence
    return None


def _name(crop: Crop, path: str, labels: Mapping[int, tuple[str, ...]]) -> str:
    label = ", ".join(labels.get(crop.id or 0, ())) or UNLABELLED
    return f"{_file_name(label)}/{_file_name(Path(path).stem)}_{crop.id}.png"


def _file_name(text: str) -> str:
    """Replace characters of `text` that are not allowed in file names of some system."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", text).strip(". ")[:100] or "_"
