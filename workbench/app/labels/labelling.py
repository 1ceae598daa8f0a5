"""Labelling of images and crops, one or many at once, and editing of label sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.label_names import LabelNames, checked_name
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.text import Message, counted

_SET, _LABEL = Message("A label set"), Message("A label")

Ids = Sequence[int] | NDArray[np.int64]


def assign(session: Session, image_ids: Ids, label_set: str, label: str | None) -> frozenset[int]:
    """Label images by hand (None clears), as one edit; return the ids of changed images.

    In a set that is not exclusive, the label is toggled. Raises ValueRefused for an unknown set or
    label.
    """
    with session.edit(_edit_text(len(image_ids), Subject.IMAGE, label_set, label)):
        return session.store.labels.assign(image_ids, label_set, label)


def assign_crops(
    session: Session, crop_ids: Ids, label_set: str, label: str | None
) -> frozenset[int]:
    """As `assign`, for crops; return the ids of images whose crops changed."""
    with session.edit(_edit_text(len(crop_ids), Subject.CROP, label_set, label)):
        return session.store.labels.assign_crops(crop_ids, label_set, label)


def edit_set(session: Session, label_set: LabelSet, renamed: Mapping[str, str]) -> None:
    """Store a new or changed label set, as one edit.

    `renamed` maps previous names of labels to new ones. New names are normalised. Raises
    ValueRefused for an invalid set or name.
    """
    sets = session.store.labels.sets()
    name = checked_name(LabelNames(sets).equal_or_new(label_set.name), _SET)
    before = sets.get(name)
    known = set(before.names) if before is not None else set()
    new = {name: name if name in known else checked_name(name, _LABEL) for name in label_set.names}
    labels = tuple(
        replace(one, name=new[one.name], mirror=new.get(one.mirror, one.mirror))
        for one in label_set.labels
    )
    label_set = replace(label_set, name=name, labels=labels)
    renamed = {old: new.get(to, to) for old, to in renamed.items()}
    with session.edit(Message("Change label set {name}", name=label_set.name)):
        session.store.labels.save_set(label_set, renamed)


def rename_label(
    session: Session, label_set: str, label: str, new: str, merge: bool = False
) -> bool:
    """Rename a label of a set, as one edit; return whether it was merged into another label.

    If the set has another label called `new`, all subjects with `label` get that one instead. This
    needs `merge`. Raises ValueRefused for an unknown set or label or a blank name, KnownError
    without `merge`.
    """
    known = session.store.labels.get(label_set)
    new = checked_name(LabelNames(known.names).equal_or_new(new), _LABEL)
    merging = new in known.names and new != label
    if merging and not merge:
        raise KnownError(
            "“{label_set}” already has a label “{new}”.",
            "Merge the two labels (with --merge on the command line), or choose another name.",
            label_set=label_set,
            new=new,
        )
    changed = known.merged(label, new) if merging else known.with_renamed(label, new)
    text = (
        Message("Merge label “{label}” into “{new}”", label=label, new=new)
        if merging
        else Message("Rename label “{label}” to “{new}”", label=label, new=new)
    )
    with session.edit(text):
        session.store.labels.save_set(changed, {label: new})
    return merging


def remove_set(session: Session, name: str) -> None:
    """Remove a label set with all its labels, as one edit. Raises ValueRefused if unknown."""
    with session.edit(Message("Remove label set {name}", name=name)):
        session.store.labels.remove_set(name)


def next_unlabelled(session: Session, ids: Ids, label_set: str, after: int | None) -> int | None:
    """The next unlabelled image in `ids` after the image `after`, continuing at the start; None if
    all are labelled. `after` itself comes last."""
    order = np.asarray(ids, np.int64)
    open_at = np.flatnonzero(session.store.labels.label_ids(order, label_set) < 0)
    if not len(open_at):
        return None
    here = np.flatnonzero(order == (-1 if after is None else after))
    start = int(here[0]) + 1 if len(here) else 0
    behind = open_at[open_at >= start]
    return int(order[behind[0] if len(behind) else open_at[0]])


def _edit_text(n: int, subject: Subject, label_set: str, label: str | None) -> Message:
    if subject is Subject.IMAGE and label is not None:
        return counted(
            n, "Label {n:,} image “{label}”", "Label {n:,} images “{label}”", label=label
        )
    if label is not None:
        return counted(
            n, "Label {n:,} mouth “{label}”", "Label {n:,} mouths “{label}”", label=label
        )
    if subject is Subject.IMAGE:
        return counted(
            n, "Clear {name} of {n:,} image", "Clear {name} of {n:,} images", name=label_set
        )
    return counted(n, "Clear {name} of {n:,} mouth", "Clear {name} of {n:,} mouths", name=label_set)
