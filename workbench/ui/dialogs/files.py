"""Labels as files, and sources that moved: asked for in dialogs, done by the app."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.app.images.relinking import moved_sources, relink_task
from workbench.app.labels.label_files import LabelImport, export_labels, import_labels
from workbench.domain.formats import FORMATS, FileKind, patterns
from workbench.domain.images import Source
from workbench.domain.text import tr
from workbench.ui.page import Context


def ask_export(context: Context, parent: QWidget) -> None:
    """Let the person name a file and write every label into it."""
    kinds = {f"{one.name} ({one.pattern})": one for one in FORMATS.written_as(FileKind.LABELS)}
    first = next(iter(kinds.values()))
    start = str(Path.home() / f"{context.session.name} labels{first.endings[0]}")
    title = tr("Export labels")
    chosen, kind = QFileDialog.getSaveFileName(parent, title, start, ";;".join(kinds))
    if chosen:
        file, ending = Path(chosen), kinds.get(kind, first).endings[0]
        export_to(context, file if file.suffix else file.with_suffix(ending))


def export_to(context: Context, file: Path) -> None:
    """Write every label to `file` and say how many."""
    with context.reporting_errors():
        count = export_labels(context.session, file)
        context.notify(tr("{0:,} labels written to {1}.").format(count, file.name), "info")


def ask_import(context: Context, parent: QWidget) -> None:
    """Let the person choose a label file and import its labels."""
    kinds = tr("Label files") + f" ({patterns(FORMATS.read_as(FileKind.LABELS))})"
    title = tr("Import labels")
    chosen, _ = QFileDialog.getOpenFileName(parent, title, str(Path.home()), kinds)
    if chosen:
        import_from(context, Path(chosen))


def import_from(context: Context, file: Path) -> None:
    """Import the labels of `file` and show how many it brought."""
    with context.reporting_errors():
        _notify_of(context, import_labels(context.session, file))


def _notify_of(context: Context, result: LabelImport) -> None:
    said = [tr("{0:,} of {1:,} labels taken in").format(result.labelled, result.rows)]
    if result.kept:
        said.append(tr("{0:,} left as a person gave them").format(result.kept))
    if result.unmatched:
        said.append(tr("{0:,} of images that are not here").format(len(result.unmatched)))
    context.notify(", ".join(said) + ".", "warn" if result.unmatched else "info")


def say_moved(context: Context) -> None:
    """Tell of sources that are not where they were."""
    moved = moved_sources(context.session)
    if moved:
        names = ", ".join(Path(source.path).name for source in moved[:3])
        words = tr("Not found: {0}. File, “Find moved sources…” looks for it.")
        context.notify(words.format(names), "warn")


def find_moved(context: Context, parent: QWidget) -> None:
    """Ask for the new place of each source that moved, and link it there."""
    moved = moved_sources(context.session)
    if not moved:
        context.notify(tr("Every source is where it was."), "info")
    for source in moved:
        title = tr("Where is {0} now?").format(Path(source.path).name)
        place = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
        if place:
            relink(context, source, Path(place))


def relink(context: Context, source: Source, place: Path) -> None:
    """Link `source` to `place` in a job that compares the images first."""
    words = tr("{0} is linked to {1}.").format(Path(source.path).name, place)

    with context.reporting_errors():
        context.session.start(
            relink_task(context.session, source.id, place),
            done=lambda _: context.notify(words, "info"),
        )
