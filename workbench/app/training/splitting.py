"""Splits of the images into train, validation and test parts, stratified by their labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.labels import Subject
from workbench.domain.splits import STRATA, Part, SplitPlan, stratified_split
from workbench.domain.text import Message
from workbench.storage.project import Project

_JOINING = re.compile(r"[\\/+,]")  # separators of labels in a stratum, and their escape


def split(session: Session, plan: SplitPlan, stratify: Sequence[str] = STRATA) -> dict[Part, int]:
    """Split all images, as one edit; return the number of images in each part.

    Each combination of labels of the sets in `stratify` (of an image, or of its mouths) is divided
    by the plan's fractions. The same project, plan and seed give the same split on every machine.
    Files with the same content are one image, so they are in the same part. Raises KnownError
    without images, ValueRefused for an unknown set.
    """
    put_split(session, plan, draw(session.store, plan, stratify))
    return session.store.splits.counts()


def split_task(
    session: Session, plan: SplitPlan, stratify: Sequence[str] = STRATA
) -> Task[dict[int, Part]]:
    """A job that does the same as `split` and ends Done(parts by image id)."""
    folder = session.store.folder

    def work() -> Steps[dict[int, Part]]:
        yield None
        with Project.reading(folder) as store:
            return draw(store, plan, stratify)

    def keep(parts: dict[int, Part]) -> None:
        put_split(session, plan, parts)

    title = Message("Split images")
    return Task(title, work, finish=when_done(keep), kind="split")


def put_split(session: Session, plan: SplitPlan, members: Mapping[int, Part]) -> None:
    """Make a drawn split the current one, as one edit."""
    with session.edit(Message("Split {percentages}", percentages=plan.percentages)):
        session.store.splits.make(plan, members)


def draw(store: Project, plan: SplitPlan, stratify: Sequence[str] = STRATA) -> dict[int, Part]:
    """Draw a split as `split` does, without storing it; return the part of each image."""
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
    """Stratum of each image by one set: its labels, or those of its mouths, as one text."""
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
    """Escape separators in a label. Plain names are unchanged: the stratum seeds the shuffle, so
    that existing splits can be reproduced."""
    return _JOINING.sub(r"\\\g<0>", label)
