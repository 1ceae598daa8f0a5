"""Splits of the images into train, validation and test parts, stratified by their labels."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from workbench.app.jobs import Steps, Task, run_to_end, when_done
from workbench.app.session import Session
from workbench.app.training.grouping import group_steps
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.reports import Note
from workbench.domain.splits import (
    PARTS,
    STRATA,
    Classes,
    GroupBy,
    Grouping,
    Part,
    SplitPlan,
    SplitReport,
    StoredSplit,
    k_folds,
    named_labels,
    report_split,
    stratified_split,
)
from workbench.domain.studies import ClassPlan, draw_per_class
from workbench.domain.text import Message, counted, mark
from workbench.storage.project import Project

_JOINING = re.compile(r"[\\/+,]")  # separators of labels in a stratum, and their escape


Drawn = tuple[SplitPlan, dict[int, Part]]  # a split that is not stored yet


def split(
    session: Session, plan: SplitPlan, stratify: Sequence[str] = STRATA, name: str = ""
) -> dict[Part, int]:
    """Split all images, as one edit; return the number of images in each part.

    Each combination of labels of the sets in `stratify` (of an image, or of its mouths) is divided
    by the plan's fractions; no group of the plan's grouping is divided, and each label of any set
    keeps a training image if it can. The same project, plan and seed give the same split on every
    machine. Files with the same content are one image, so they are in the same part. With
    `plan.folds`, that many splits are stored, and the first is current.

    Raises KnownError without images, ValueRefused for an unknown set or a wrong pattern.
    """
    session.check_writable()
    put_splits(session, run_to_end(_draw_steps(session.store, plan, stratify)), name)
    return dict(session.splits.counts())


def split_task(
    session: Session, plan: SplitPlan, stratify: Sequence[str] = STRATA, name: str = ""
) -> Task[list[Drawn]]:
    """A job that does the same as `split` and ends Done(plan and parts by image id, of each
    split)."""
    session.check_writable()
    folder = session.store.folder

    def work() -> Steps[list[Drawn]]:
        yield None
        with Project.reading(folder) as store:
            return (yield from _draw_steps(store, plan, stratify))

    def keep(drawn: list[Drawn]) -> None:
        put_splits(session, drawn, name)

    title = Message("Split images")
    return Task(title, work, finish=when_done(keep), kind="split")


def put_splits(session: Session, drawn: Sequence[Drawn], name: str = "", use: bool = True) -> None:
    """Store drawn splits, and make the first one current if `use`, as one edit.

    Without a name, each is named by its plan; the names of folds end with their numbers. Splits of
    the same names are replaced, others are kept.
    """
    with session.edit(Message("Split {percentages}", percentages=drawn[0][0].percentages)):
        for plan, members in reversed(drawn):
            own = name or plan.name
            own = f"{own}: {plan.fold_name}" if plan.folds else own
            session.store.splits.make(plan, members, own, use)


def take_split(session: Session, parts: Mapping[int, Part], name: str) -> StoredSplit:
    """Store a split that comes from files (image id → part) and make it current, as one edit.

    Images that are not in `parts` are in no part. If there is a split of this name that came from
    files, too, it is extended, so that one list for each part can be imported one after the other;
    a part that is given now takes precedence. A drawn split of this name is replaced. Raises
    ValueRefused for a blank name.
    """
    name = checked_name(name)
    store = session.store
    known = next((split for split in store.splits.all() if split.name == name), None)
    earlier = store.splits.parts(known.id) if known is not None and known.plan is None else {}
    with session.edit(Message("Import split {name}", name=name)):
        made = store.splits.make(None, {**earlier, **parts}, name)
    return next(split for split in store.splits.all() if split.id == made)


def checked_name(name: str) -> str:
    """The name of a split as it is stored: one line. Raises ValueRefused for a blank one."""
    name = " ".join(name.split())
    if not name:
        allowed = Message("a text with at least one character")
        raise ValueRefused(Message("name of the split"), "", allowed)
    return name


def find_split(session: Session, name: str) -> StoredSplit:
    """The split of this name, the newest of several. Raises KnownError, naming all, if there is
    none."""
    splits = session.splits.all()
    for split in splits:
        if split.name == name:
            return split
    raise KnownError(
        "There is no split “{name}” in this project.",
        mark("Splits: {known}.") if splits else mark("Create one first."),
        name=name,
        known=", ".join(split.name for split in splits),
    )


def use_split(session: Session, split: StoredSplit) -> None:
    """Make a stored split the current one, as one edit."""
    with session.edit(Message("Use split {name}", name=split.name)):
        session.store.splits.use(split.id)


def rename_split(session: Session, split: StoredSplit, name: str) -> None:
    """Rename a split, as one edit. Raises ValueRefused for a blank name or that of another."""
    name = checked_name(name)
    if any(other.name == name for other in session.splits.all() if other.id != split.id):
        raise ValueRefused(
            Message("name of the split"), name, Message("a name that no other split has")
        )
    with session.edit(Message("Rename split {name}", name=split.name)):
        session.store.splits.rename(split.id, name)


def delete_split(session: Session, split: StoredSplit) -> None:
    """Delete a split, as one edit. If it is the current one, the project has none."""
    with session.edit(Message("Delete split {name}", name=split.name)):
        session.store.splits.delete(split.id)


def split_remarks(session: Session) -> list[Message]:
    """What the current split, and the other folds if it is one of several, do not hold of their
    plan, one sentence each."""
    current = session.splits.current()
    if current is None:
        return []
    family = fold_families(session).get(folds_name(current), [])
    if not family:
        report = split_report(session)
        return report.remarks() if report is not None else []
    return [
        Message("Fold {number}: {remark}", number=number, remark=remark)
        for number, one in enumerate(family, 1)
        if (report := split_report(session, one)) is not None
        for remark in report.remarks()
    ]


def split_report(session: Session, split: StoredSplit | None = None) -> SplitReport | None:
    """What a split (None: the current one) holds of its plan, for the labels as they are now; None
    without a split."""
    store = session.store
    split = split or store.splits.current()
    if split is None:
        return None
    ids = np.sort(store.images.ids()).tolist()
    members = store.splits.parts(split.id)
    return report_split(split.plan, members, _classes(store, ids, store.labels.sets()), ids)


def is_fold(one: StoredSplit, other: StoredSplit) -> bool:
    """Whether two splits are folds that were drawn together."""
    if one.plan is None or other.plan is None or not one.plan.folds:
        return False
    same = dataclasses.replace(one.plan, fold=0) == dataclasses.replace(other.plan, fold=0)
    return same and folds_name(one) == folds_name(other)


def folds_name(split: StoredSplit) -> str:
    """The name that all folds share which were drawn together; "" for another split."""
    plan = split.plan
    ending = f": {plan.fold_name}" if plan is not None and plan.folds else ""
    return split.name.removesuffix(ending) if ending and split.name.endswith(ending) else ""


def fold_families(project: Session | Project) -> dict[str, list[StoredSplit]]:
    """The complete sets of folds by their common name, newest first; each from its first fold."""
    found: dict[str, list[StoredSplit]] = {}
    for split in project.splits.all():
        if name := folds_name(split):
            found.setdefault(name, []).append(split)
    ordered = {name: sorted(some, key=_fold_number) for name, some in found.items()}
    return {
        name: some
        for name, some in ordered.items()
        if [_fold_number(one) for one in some] == list(range(1, _folds(some[0]) + 1))
        and all(is_fold(one, some[0]) for one in some)
    }


def _folds(split: StoredSplit) -> int:
    return split.plan.folds if split.plan is not None else 0


def _fold_number(split: StoredSplit) -> int:
    return split.plan.fold if split.plan is not None else 0


def labels_by_image(store: Project) -> Classes:
    """All labels of each labelled image and of its mouths, with the names of their sets."""
    return _classes(store, np.sort(store.images.ids()).tolist(), store.labels.sets())


def draw_folds(store: Project, plan: SplitPlan) -> list[Drawn]:
    """Draw folds as `split` does, without storing them."""
    return run_to_end(_draw_steps(store, plan, STRATA))


def draw(store: Project, plan: SplitPlan, stratify: Sequence[str] = STRATA) -> dict[int, Part]:
    """Draw a split as `split` does, without storing it; return the part of each image."""
    return run_to_end(_draw_steps(store, plan, stratify))[0][1]


def _draw_steps(store: Project, plan: SplitPlan, stratify: Sequence[str]) -> Steps[list[Drawn]]:
    """Draw the split, or the splits of all folds, of a plan."""
    sets = store.labels.sets()
    names = [name for name in stratify if name in sets or name not in STRATA]
    ordered = np.sort(store.images.ids()).tolist()
    if not ordered:
        raise KnownError("There are no images to split yet.", "Import a folder first.")
    columns = [_strata(store, ordered, name) for name in names]
    if isinstance(plan, ClassPlan):
        return [(plan, draw_per_class(plan, _combined(ordered, columns)))]
    strata = {image: "/".join(column[at] for column in columns) for at, image in enumerate(ordered)}
    yield None
    classes = _classes(store, ordered, sets)
    yield None
    groups = None
    if plan.grouping is not None:
        groups = yield from group_steps(store, plan.grouping)
        yield from group_notes(plan.grouping, groups, ordered)
    if not plan.folds:
        members = stratified_split(plan, strata, groups, classes)
        yield from _empty_parts(plan, members, groups or {}, classes, ordered)
        return [(plan, members)]
    folds = k_folds(plan, strata, groups, classes)
    return [(plan.of_fold(at), members) for at, members in enumerate(folds, 1)]


def _combined(images: Sequence[int], columns: Sequence[Sequence[str]]) -> dict[int, str]:
    """The class of each image by the labels of all sets; "" if it lacks one."""
    rows = [[column[at] for column in columns] for at in range(len(images))]
    return {
        image: "/".join(row) if all(row) else "" for image, row in zip(images, rows, strict=True)
    }


def group_notes(
    grouping: Grouping, groups: Mapping[int, str], images: Collection[int]
) -> Iterator[Note]:
    """The number of groups, and a warning of images that have none."""
    sizes = [size for size in Counter(groups.values()).values() if size > 1]
    found = counted(
        len(sizes),
        "{n:,} group of several images, of at most {most:,}.",
        "{n:,} groups of several images, of at most {most:,}.",
        most=max(sizes, default=0),
    )
    yield (
        Note(text=found)
        if sizes
        else Note(
            text=Message("No images form a group: the split is drawn as without groups."),
            warning=True,
        )
    )
    alone = len(images) - len(groups)
    note = _without_group(grouping.by, alone) if alone else None
    if note is not None:
        yield Note(text=note, warning=True)


def _empty_parts(
    plan: SplitPlan,
    members: Mapping[int, Part],
    groups: Mapping[int, str],
    classes: Classes,
    images: Collection[int],
) -> Iterator[Note]:
    """A warning of each part that got no images because of the groups, with cause and remedy."""
    sizes = Counter(groups.get(image, f"/{image}") for image in images)
    wanted = {part for part in PARTS if getattr(plan, part) > 0}
    empty = wanted.difference(members.values())
    if not empty or max(sizes.values()) == 1:
        return
    of_label: dict[str, set[str]] = defaultdict(set)
    for image, names in classes.items():
        for _, label in names:
            of_label[label].add(groups.get(image, f"/{image}"))
    single = sorted(
        label for label, own in of_label.items() if len(own) == 1 and sizes[min(own)] > 1
    )
    for part in sorted(empty, key=PARTS.index):
        yield Note(text=_why_empty(part, sizes, single, len(sizes) < len(wanted)), warning=True)


def _why_empty(part: Part, sizes: Counter[str], single: Sequence[str], too_few: bool) -> Message:
    """Why a part has no images: too few groups, labels with one group, or a large group."""
    few = mark(
        "The {part} part has no images: there are only {groups:,} groups, and the largest has"
        " {most:,} of {total:,} images. Form smaller groups, for example with a deeper folder"
        " level, or give the part no share."
    )
    pinned = mark(
        "The {part} part has no images: all images of {labels} are in one group each, which the"
        " train part needs; the largest has {most:,} of {total:,} images. Form smaller groups, for"
        " example with a deeper folder level, or label images of other groups."
    )
    large = mark(
        "The {part} part has no images: the largest of {groups:,} groups has {most:,} of {total:,}"
        " images. Form smaller groups, for example with a deeper folder level, or give the part no"
        " share."
    )
    text = pinned if single else few if too_few else large
    return Message(
        text,
        part=Message(str(part)),
        groups=len(sizes),
        most=max(sizes.values()),
        total=sizes.total(),
        labels=named_labels(single),
    )


def _without_group(by: GroupBy, n: int) -> Message | None:
    """A warning of images that have no group; None where each image has one, or needs none."""
    if by is GroupBy.LABELS:
        return counted(
            n,
            "{n:,} image has no such label and is a group of its own.",
            "{n:,} images have no such label; each is a group of its own.",
        )
    if by is GroupBy.PATTERN:
        return counted(
            n,
            "The path of {n:,} image does not match; it is a group of its own.",
            "The paths of {n:,} images do not match; each is a group of its own.",
        )
    if by is GroupBy.TIME:
        return counted(
            n,
            "{n:,} image has no capture time and is a group of its own.",
            "{n:,} images have no capture time; each is a group of its own.",
        )
    return None


def _strata(store: Project, images: list[int], label_set: str) -> list[str]:
    """Stratum of each image by one set: its labels, or those of its mouths, as one text."""
    known = store.labels.get(label_set)
    if known.exclusive and known.subject is Subject.IMAGE:
        names = (*map(_escaped, known.names), "")
        return [names[at] for at in store.labels.label_ids(images, label_set).tolist()]
    of_images = store.labels.of_images(images, label_set)
    found = {image: ", ".join(map(_escaped, labels)) for image, labels in of_images.items()}
    for image, labels in _labels_of_mouths(store, known).items():
        found[image] = "+".join(sorted(map(_escaped, labels)))
    return [found.get(image, "") for image in images]


def _labels_of_mouths(store: Project, known: LabelSet) -> dict[int, set[str]]:
    """Labels of the mouths of each image that has any; nothing for a set of images."""
    found: dict[int, set[str]] = {}
    if known.subject is Subject.CROP:
        table = store.crops.table(known.name)
        for image, at in zip(table.images.tolist(), table.labels.tolist(), strict=True):
            if at >= 0:
                found.setdefault(image, set()).add(known.names[at])
    return found


def _classes(
    store: Project, images: list[int], sets: Mapping[str, LabelSet]
) -> dict[int, list[tuple[str, str]]]:
    """All labels of each labelled image and of its mouths, with the names of their sets."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for name, known in sets.items():
        if known.exclusive and known.subject is Subject.IMAGE:
            keys = [(name, label) for label in known.names]
            at = store.labels.label_ids(images, name).tolist()
            for image, position in zip(images, at, strict=True):
                if position >= 0:
                    found[image].append(keys[position])
            continue
        several: dict[int, Iterable[str]] = dict(store.labels.of_images(images, name))
        for image, labels in (several | _labels_of_mouths(store, known)).items():
            found[image] += [(name, label) for label in labels]
    return found


def _escaped(label: str) -> str:
    """Escape separators in a label. Plain names are unchanged: the stratum seeds the shuffle, so
    that existing splits can be reproduced."""
    return _JOINING.sub(r"\\\g<0>", label)
