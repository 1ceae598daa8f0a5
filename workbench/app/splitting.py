"""Dividing the images into train, validation and test, evenly over the labels there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.app.open_project import OpenProject
from workbench.domain.errors import KnownError
from workbench.domain.labels import Subject
from workbench.domain.splits import Part, SplitPlan, stratified_split

STRATA = ("category", "view")


def split(op: OpenProject, plan: SplitPlan, stratify: Sequence[str] = STRATA) -> dict[Part, int]:
    """Make a split of all images as one edit and the current one; how many are in each part.

    Each combination of labels of the sets in `stratify` (of an image, or of its mouths) is divided
    by the plan's fractions; the same project, plan and seed give the same split everywhere. Files
    of the same bytes are one image, so they never stand in two parts. Raises KnownError without
    images, ValueRefused for an unknown set.
    """
    members = draw(op, plan, stratify)
    text = " / ".join(f"{100 * getattr(plan, part):.0f}" for part in Part)
    with op.edit(f"Split {text}"):
        op.store.splits.make(plan, members)
    return op.store.splits.counts()


def draw(op: OpenProject, plan: SplitPlan, stratify: Sequence[str] = STRATA) -> dict[int, Part]:
    """The part of each image as `split` would make it; nothing is changed."""
    sets = op.store.labels.sets()
    names = [name for name in stratify if name in sets or name not in STRATA]
    ids = op.store.images.ids()
    if not len(ids):
        raise KnownError("There are no images to split yet.", "Import a folder first.")
    ordered = np.sort(ids)
    columns = [_labels(op, ordered.tolist(), name) for name in names]
    strata = {
        image: "/".join(column[at] for column in columns)
        for at, image in enumerate(ordered.tolist())
    }
    return stratified_split(plan, strata)


def _labels(op: OpenProject, images: list[int], label_set: str) -> list[str]:
    """What each image is called in one set: its label, or the labels of its mouths."""
    known = op.store.labels.get(label_set)
    if known.exclusive and known.subject is Subject.IMAGE:
        names = (*known.names, "")
        return [names[at] for at in op.store.labels.label_ids(images, label_set).tolist()]
    found = op.store.labels.of_images(images, label_set)
    if known.subject is Subject.CROP:
        table = op.store.crops.table(label_set)
        mouths: dict[int, set[str]] = {}
        for image, at in zip(table.images.tolist(), table.labels.tolist(), strict=True):
            if at >= 0:
                mouths.setdefault(image, set()).add(known.names[at])
        found |= {image: "+".join(sorted(labels)) for image, labels in mouths.items()}
    return [found.get(image, "") for image in images]
