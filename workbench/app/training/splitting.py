"""Dividing the images into train, validation and test, evenly over the labels there are."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence

import numpy as np

from workbench.app.jobs import Task, when_done
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.labels import Subject
from workbench.domain.splits import Part, SplitPlan, stratified_split
from workbench.domain.text import Message
from workbench.storage.project import Project

STRATA = ("category", "view")
_JOINING = re.compile(r"[\\/+,]")  # what joins labels to a stratum, and what escapes it


def split(session: Session, plan: SplitPlan, stratify: Sequence[str] = STRATA) -> dict[Part, int]:
    """Make a split of all images as one edit and the current one; how many are in each part.

    Each combination of labels of the sets in `stratify` (of an image, or of its mouths) is divided
    by the plan's fractions; the same project, plan and seed give the same split everywhere. Files
    of the same bytes are one image, so they never stand in two parts. Raises KnownError without
    images, ValueRefused for an unknown set.
    """
    put_split(session, plan, draw(session.store, plan, stratify))
    return session.store.splits.counts()


def split_task(
    session: Session, plan: SplitPlan, stratify: Sequence[str] = STRATA
) -> Task[dict[int, Part]]:
    """A job that does what `split` does, for a window that must not wait."""
    folder = session.store.folder

    def work() -> Generator[object | None, None, dict[int, Part]]:
        yield None
        with Project.reading(folder) as store:
            return draw(store, plan, stratify)

    def keep(parts: dict[int, Part]) -> None:
        put_split(session, plan, parts)

    title = Message("Split the images")
    return Task(title, work, finish=when_done(keep), kind="split")


def put_split(session: Session, plan: SplitPlan, members: Mapping[int, Part]) -> None:
    """Make a split that was drawn the current one, as one edit."""
    with session.edit(Message("Split {percentages}", percentages=plan.percentages)):
        session.store.splits.make(plan, members)


def draw(store: Project, plan: SplitPlan, stratify: Sequence[str] = STRATA) -> dict[int, Part]:
    """The part of each image as `split` would make it; nothing is changed."""
    sets = store.labels.sets()
    names = [name for name in stratify if name in sets or name not in STRATA]
    ids = store.images.ids()
    if not len(ids):
        raise KnownError("There are no images to split yet.", "Import a folder first.")
    ordered = np.sort(ids)
    columns = [_labels(store, ordered.tolist(), name) for name in names]
    strata = {
        image: "/".join(column[at] for column in columns)
        for at, image in enumerate(ordered.tolist())
    }
    return stratified_split(plan, strata)


def _labels(store: Project, images: list[int], label_set: str) -> list[str]:
    """The stratum of each image in one set: its labels, or those of its mouths, as one text."""
    known = store.labels.get(label_set)
    if known.exclusive and known.subject is Subject.IMAGE:
        names = (*map(_escaped, known.names), "")
        return [names[at] for at in store.labels.label_ids(images, label_set).tolist()]
    of_images = store.labels.of_images(images, label_set)
    found = {image: ", ".join(map(_escaped, labels)) for image, labels in of_images.items()}
    if known.subject is Subject.CROP:
        table = store.crops.table(label_set)
        mouths: dict[int, set[str]] = {}
        for image, at in zip(table.images.tolist(), table.labels.tolist(), strict=True):
            if at >= 0:
                mouths.setdefault(image, set()).add(_escaped(known.names[at]))
        found |= {image: "+".join(sorted(labels)) for image, labels in mouths.items()}
    return [found.get(image, "") for image in images]


def _escaped(label: str) -> str:
    """A label as a part of a stratum: what joins the parts does not occur in it. Plain names stay
    as they are, since the stratum seeds the shuffle: a split made again is the same."""
    return _JOINING.sub(r"\\\g<0>", label)
