"""Plan of an import: the files in a folder or list, with their labels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from workbench.app.image_files import search, why_unsupported
from workbench.app.labels.path_index import LooseMatches, PathIndex
from workbench.app.labels.reading import (
    NO_CHOICES,
    SAMPLES,
    ReadChoices,
    ReadDataset,
    decided_parts,
    decisions_about,
    format_for,
    place_of,
    read_dataset,
)
from workbench.domain.datasets import MAIN_SET, DeclaredSet, ImageRecord
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.formats import (
    IMPORTABLE_SETS,
    Origin,
    enumerated,
)
from workbench.domain.images import SkippedFile
from workbench.domain.import_reports import Decision, DecisionKind
from workbench.domain.part_words import Given
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted, mark
from workbench.files import unusable
from workbench.folders import NOT_UTF8, is_printable, printable
from workbench.formats import recognised
from workbench.formats.class_folders import (
    PartFolders,
    folders_like_parts,
    labels_of_folders,
    part_folders,
)
from workbench.formats.image_paths import first_entries

NO_REMARK = Message("")
_LABEL_ENDINGS = (".csv", ".tsv", ".xlsx", ".json", ".xml")  # of files that may have labels
_TRIED = 20  # of these files in a folder
LIST = "list"  # the format of lists, whose labels have no set of their own


@dataclass(frozen=True)
class LabelOrigins:
    """Origins of the labels, as a map of label set to Origin (or its value)."""

    origins: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, origin in self.origins.items():
            if origin not in set(Origin):
                known = enumerated([one.value for one in Origin if one is not Origin.NONE], "or")
                sentence = Message(
                    "Labels of “{name}” cannot come from “{origin}”.", name=name, origin=origin
                )
                raise ValueRefused(name, origin, known, sentence)
        if len(self.having(Origin.LIST)) > 1:
            several = enumerated(self.having(Origin.LIST))
            sentence = Message("A list cannot contain the labels of {names}.", names=several)
            raise ValueRefused("list", several, Message("one label set"), sentence)

    def of(self, label_set: str) -> Origin:
        """Origin of the labels of a set."""
        return Origin(self.origins.get(label_set, Origin.NONE))

    def having(self, origin: Origin) -> tuple[str, ...]:
        """Label sets with this origin: those of the program in the order of folder levels, the
        outer one first, then others as given."""
        names = dict.fromkeys((*IMPORTABLE_SETS, *self.origins))
        return tuple(name for name in names if self.of(name) is origin)

    def choices(self, path: Path, choices: ReadChoices) -> ReadChoices:
        """What to read of a list or table, as the origins say.

        A set from a table is its column of that name, a set from a list the one set of the list. A
        set from a list is a column, too, if the file turns out to be a table, and the reverse.
        """
        listed = self.having(Origin.LIST)
        tables = self.having(Origin.TABLE)
        main = listed[0] if listed else tables[0] if len(tables) == 1 and _may_be_both(path) else ""
        return dataclasses.replace(choices, main=main)


def _may_be_both(path: Path) -> bool:
    """Whether a file with this extension may be a list or a table."""
    return path.suffix.lower() == ".tsv"


RecordAt = tuple[ImageRecord, str]  # and the file that it is from, for messages


@dataclass(frozen=True)
class NamedFile:
    """A file to import: path relative to the source's base, and what is said of it where."""

    path: str
    records: tuple[RecordAt, ...] = ()


@dataclass(frozen=True)
class SourcePlan:
    """What an import decided about one source before reading its images.

    `kind` is FOLDER, LIST or TABLE; `format` is the name of its format ("" for plain folders).
    `sets` maps its label sets to those of the project, `declared` is what it declares about them.
    `remark` is a note for the user.
    """

    path: Path
    kind: Origin
    format: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, DeclaredSet] = field(default_factory=dict)
    remark: Message = NO_REMARK
    decisions: tuple[Decision, ...] = ()


@dataclass
class PlannedSource:
    """A future source: its plan, the folder that paths are relative to, its files, and the files
    that cannot be imported."""

    plan: SourcePlan
    base: Path
    files: list[NamedFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def plan_source(
    path: Path,
    origins: LabelOrigins,
    choices: ReadChoices = NO_CHOICES,
    known: Iterable[str] = (),
) -> Generator[None, None, PlannedSource]:
    """Plan the import of a folder or dataset file, yielding heartbeats; `known` are the label sets
    of the project.

    Raises KnownError if `path` is none of these.
    """
    choices = choices.at(path)
    if path.is_dir():
        if is_plain_folder(path, origins, choices):
            _check_choices(path, choices)
            return (yield from _plan_folder(path, origins, choices))
    elif not path.is_file():
        raise unusable(path, mark("Choose a folder, a list file or a table."))
    format = format_for(path, choices.format)
    chosen = choices if format.specific else origins.choices(path, choices)
    chosen = dataclasses.replace(chosen, format=format.name)
    elsewhere = origins.having(Origin.FOLDER)
    wanted = (*known, *IMPORTABLE_SETS, *origins.having(Origin.TABLE))
    names = [name for name in dict.fromkeys(wanted) if name not in elsewhere]
    read = yield from read_dataset(path, chosen, names)
    _check_columns(path, read, origins)
    absent = _absent(path, read, origins)
    plan = SourcePlan(
        path,
        Origin.FOLDER if path.is_dir() else _kind(read),
        read.format.name,
        read.sets,
        read.declared,
        absent or _remark(path, read),
        tuple(decisions_about(path, read, choices)),
    )
    base = path if path.is_dir() else path.parent
    planned = PlannedSource(plan, base, skipped=list(read.dataset.rejected))
    yield from _locate_all(planned, read)
    return planned


FOLDERS = ("folders", "yolo-classes")  # formats of plain folders, which are read as such


def is_plain_folder(path: Path, origins: LabelOrigins, choices: ReadChoices) -> bool:
    """Whether a folder is read as folders of images, without files that describe them."""
    if choices.format:
        return choices.format in FOLDERS
    if choices.levels or origins.having(Origin.FOLDER):
        return True
    specific = (format for format in recognised(path) if format.specific)
    return all(format.name in FOLDERS for format in specific)


def _check_choices(path: Path, choices: ReadChoices) -> None:
    """Refuse label sets that are to be imported from a folder without a table."""
    if any(choices.sets.values()):
        raise KnownError(
            "{path} is a folder of images without a table: it has no labels called {names}.",
            "To import the names of folders as labels: --category-from folder",
            path=path,
            names=enumerated([name for name, chosen in choices.sets.items() if chosen], "or"),
        )


def _kind(read: ReadDataset) -> Origin:
    return Origin.LIST if read.format.name == LIST else Origin.TABLE


def _check_columns(path: Path, read: ReadDataset, origins: LabelOrigins) -> None:
    """Refuse a table that has none of the requested columns."""
    requested = origins.having(Origin.TABLE)
    columns = {*read.dataset.sets, *read.sets.values()}
    if requested and read.format.name != LIST and not columns & set(requested):
        raise KnownError(
            "{path} has no column {names}.",
            "Rename the column in the file, or import no labels.",
            path=path,
            names=enumerated(requested, "or"),
        )


def _absent(path: Path, read: ReadDataset, origins: LabelOrigins) -> Message:
    """A note if the file is a table without the column of a set that was expected of a list."""
    for name in origins.having(Origin.LIST):
        if read.format.name != LIST and not read.format.specific and name not in read.sets.values():
            return Message("{file} has no column {name}.", file=path.name, name=name)
    return NO_REMARK


def _remark(path: Path, read: ReadDataset) -> Message:
    """A note if there are labels that are not imported."""
    if read.sets or not any(one.labels for one in read.dataset.sets.values()):
        return NO_REMARK
    if MAIN_SET in read.dataset.sets and read.format.name != LIST:
        return NO_REMARK
    if MAIN_SET in read.dataset.sets:
        return Message(
            "{file} has labels, but no label set is imported from the list.", file=path.name
        )
    return Message(
        "{file} has labels that are not imported: {columns}.",
        file=path.name,
        columns=enumerated(read.offered),
    )


def plan_singles(folder: Path, files: Sequence[Path]) -> PlannedSource:
    """Plan the import of single image files of one folder."""
    planned = PlannedSource(SourcePlan(folder, Origin.FOLDER), folder)
    for file in files:
        reason = why_unsupported(file.name) if is_printable(file.name) else NOT_UTF8
        if reason:
            planned.skipped.append(SkippedFile(printable(file.name), reason))
        else:
            planned.files.append(NamedFile(file.name))
    return planned


def _plan_folder(
    path: Path, origins: LabelOrigins, choices: ReadChoices
) -> Generator[None, None, PlannedSource]:
    """Plan the import of the images below a folder, which may name labels and parts of a split.

    The label sets that folders name are those of `choices`, else of `origins`.
    """
    levels, given = choices.levels or origins.having(Origin.FOLDER), choices.parts
    found = yield from search(path)
    sets = {name: name for name in levels if name}
    parts = parts_of_folders(found.images, given)
    decisions = [*_unread_labels(path), *_decided_parts(path, found.images, parts, given)]
    plan = SourcePlan(path, Origin.FOLDER, sets=sets, decisions=tuple(decisions))
    planned = PlannedSource(plan, path, skipped=found.skipped)
    named: dict[str, None] = {}
    for name, naming, part in folders_above(path, found.images, parts):
        named |= dict.fromkeys(naming[-1:])
        labels = tuple(one for one in labels_of_folders(naming, levels) if one.set)
        said = labels or part is not None
        records = ((ImageRecord(name, labels, part), str(path / name)),) if said else ()
        planned.files.append(NamedFile(name, records))
    if len(named) > 1 and not any(levels):
        decided = (_folders_offered(path, named), *plan.decisions)
        planned.plan = dataclasses.replace(plan, decisions=decided)
    return planned


def _folders_offered(path: Path, folders: Iterable[str]) -> Decision:
    """That the names of folders could be labels."""
    some = ", ".join(islice(folders, SAMPLES))
    text = Message("the names of its folders ({folders}, …) are not imported", folders=some)
    return Decision(path.name, text, DecisionKind.FOLDERS, suggested=IMPORTABLE_SETS[0])


def _unread_labels(path: Path) -> Iterator[Decision]:
    """Remarks on files in a folder that seem to have labels, but are not read with its images."""
    files = (one for one in first_entries(path) if one.name.lower().endswith(_LABEL_ENDINGS))
    for one in islice(files, _TRIED):
        file = Path(one.path)
        if is_printable(one.name) and file.is_file() and recognised(file):
            yield Decision(
                one.name,
                Message("it seems to have labels; import it by itself to give them to the images"),
            )


def _folders_of(images: Iterable[str]) -> list[tuple[str, ...]]:
    return [PurePosixPath(name).parts[:-1] for name in images]


def parts_of_folders(images: Iterable[str], given: Given) -> PartFolders | None:
    """Which folders above these images are parts of a split; None if there are none."""
    return part_folders(_folders_of(images), given)


def _decided_parts(
    path: Path, images: Iterable[str], parts: PartFolders | None, given: Given
) -> list[Decision]:
    """Folders whose part is not plain, and those that look like parts but are not read as such."""
    if parts is not None:
        return decided_parts(path.name, parts.words.to_report())
    if not (alike := folders_like_parts(_folders_of(images), given)):
        return []
    text = Message(
        "its folders {names} look like parts of a split, but others beside them do not, or it is"
        " not clear which parts they are: no split is imported",
        names=enumerated([f"“{name}”" for name in alike[:SAMPLES]]),
    )
    return [Decision(path.name, text, DecisionKind.PART)]


def folders_above(
    path: Path, images: Sequence[str], parts: PartFolders | None
) -> Iterator[tuple[str, tuple[str, ...], Part | None]]:
    """Each image below the folder `path`, the folders above it that name labels, the outer one
    first, and the part of a split that another one names."""
    folders = _folders_of(images)
    # A folder without subfolders is itself a class folder; one with subfolders is not.
    alone = (path.resolve().name,) if not any(folders) else ()
    for name, above in zip(images, folders, strict=True):
        if parts is not None and above:
            yield name, parts.others(above), parts.part(above)
        else:
            yield name, above or alone, None


def _locate_all(planned: PlannedSource, read: ReadDataset) -> Generator[None, None, None]:
    """Find the files that the records of a dataset name."""
    index: PathIndex[str] | None = None
    located: dict[str, list[RecordAt]] = {}
    loose = LooseMatches()
    base, source = read.dataset.base, planned.plan.path.name
    for count, record in enumerate(read.dataset.images):
        if count % 512 == 0:
            yield
        at = locate(base, record.path)
        found = [_relative(at, planned.base)] if at is not None else []
        if at is None:
            if index is None:
                names = (yield from search(base)).images
                index = PathIndex((name, _relative(base / name, planned.base)) for name in names)
            found = index.find(record.path)
            if len(found) == 1:
                loose.add(record.path, (planned.base / found[0]).as_posix())
        if len(found) == 1:
            located.setdefault(found[0], []).append((record, source))
            continue
        place = place_of(source, record)
        reason = Message("the file does not exist ({place})", place=place)
        if found:
            reason = counted(
                len(found),
                "{n:,} file has this name ({place})",
                "{n:,} files have this name ({place})",
                place=place,
            )
        planned.skipped.append(SkippedFile(record.path, reason))
    planned.files.extend(NamedFile(name, tuple(records)) for name, records in located.items())
    decisions = (*planned.plan.decisions, *loose.decisions(source))
    planned.plan = dataclasses.replace(planned.plan, decisions=decisions)


def locate(base: Path, name: str) -> Path | None:
    """The existing regular file called `name`, relative to `base`; None if there is none."""
    try:
        found = Path(os.path.normpath(base / name))
        return found if found.is_file() else None
    except (OSError, ValueError):
        return None


def _relative(path: Path, base: Path) -> str:
    """`path` relative to `base`, with forward slashes; absolute if it is on another drive."""
    try:
        return os.path.relpath(path, base).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.as_posix()
