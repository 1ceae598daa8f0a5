"""Re-linking of sources that moved, verified by the content of their images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.formats import Origin
from workbench.domain.images import FoundImage, Source
from workbench.domain.reports import Progress
from workbench.domain.text import Message, counted
from workbench.files import unusable
from workbench.vision.headers import identify

SAMPLE = 200  # images checked by default
CHUNK = 32


@dataclass(frozen=True)
class Match:
    """How well a folder or list file matches a source with `images` images.

    Of the `checked` images, `same` have the same content, `other` another one, and `absent` are
    missing.
    """

    source: int
    path: Path
    images: int
    checked: int
    same: int
    other: int
    absent: int


def moved_sources(session: Session) -> list[Source]:
    """Sources whose folder or list file is missing."""
    return [source for source in session.store.images.sources() if not Path(source.path).exists()]


def relink_task(
    session: Session, source_id: int, target: Path, sample: int | None = SAMPLE
) -> Task[Match]:
    """A job that re-links a source to `target` and ends Done(Match); undoable.

    `target` is its new folder, the folder around that, or its list file. Up to `sample` images
    spread over the source (None: all) are compared by hash; the job fails with a KnownError unless
    most of them are the same. Raises KnownError for an unknown source.
    """
    session.check_writable()
    source = next((one for one in session.store.images.sources() if one.id == source_id), None)
    if source is None:
        raise KnownError("There is no source {source_id} in this project.", source_id=source_id)
    known = session.store.images.known_images(source_id)
    step = 1 if sample is None else max(1, len(known) // sample)
    chosen = [known[name] for name in sorted(known)[::step]]

    def work() -> Steps[Match]:
        found = _new_path(source, target, chosen)
        match = yield from _compare(source, found, known, chosen)
        _check(match)
        return match

    title = Message("Re-link {source}", source=Path(source.path).name)

    def relink(match: Match) -> None:
        if str(match.path) != source.path:
            with session.edit(title):
                session.store.images.relink(source_id, match.path)

    return Task(title, work, finish=when_done(relink), kind="relink")


def _check(match: Match) -> None:
    """Raise KnownError unless most images are the same."""
    if match.same * 2 > match.checked:
        return
    raise KnownError(
        counted(
            match.checked,
            "{path} is not this source: its image does not match.",
            "{path} is not this source: only {same:,} of {n:,} images match.",
            path=match.path,
            same=match.same,
        ),
        "Choose the folder that contains the images now.",
    )


def _new_path(source: Source, target: Path, chosen: Sequence[FoundImage]) -> Path:
    """`target`, or its entry with the source's name: whichever contains more of the images."""
    name = Path(source.path).name
    if source.kind is not Origin.FOLDER:
        path = target / name if target.is_dir() else target
        if not path.is_file():
            raise unusable(path, Message("Choose the folder that contains {name}.", name=name))
        return path
    folders = [path for path in (target, target / name) if path.is_dir()]
    if not folders:
        raise KnownError(
            "{path} is not a folder.", "Choose the folder that contains the images.", path=target
        )
    return max(folders, key=lambda path: sum((path / one.path).is_file() for one in chosen))


def _compare(
    source: Source, target: Path, known: Mapping[str, FoundImage], chosen: Sequence[FoundImage]
) -> Steps[Match]:
    base = target if source.kind is Origin.FOLDER else target.parent
    same = other = absent = 0
    for hashes in _hashes(base, chosen):
        for found, image in hashes:
            same += found == image.hash
            absent += found is None
            other += found not in (None, image.hash)
        yield Progress(done=same + other + absent, total=len(chosen))
    return Match(source.id, target, len(known), len(chosen), same, other, absent)


def _hashes(
    base: Path, images: Sequence[FoundImage]
) -> Iterator[list[tuple[str | None, FoundImage]]]:
    with ThreadPoolExecutor() as pool:
        for at in range(0, len(images), CHUNK):
            chunk = images[at : at + CHUNK]
            paths = [base / image.path for image in chunk]
            yield list(zip(pool.map(identify, paths), chunk, strict=True))
