"""Dialogs for label files and for sources that moved; the work is done by the app layer."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.app.images.relinking import moved_sources, relink_task
from workbench.app.labels.label_files import LabelImport, export_labels, import_labels
from workbench.domain.formats import FORMATS, FileKind, patterns
from workbench.domain.images import Source
from workbench.domain.text import plural, tr
from workbench.ui.page import Context


def choose_export_file(context: Context, parent: QWidget) -> None:
    """Choose a file in a dialog and export all labels to it."""
    formats = {f"{one.name} ({one.pattern})": one for one in FORMATS.written_as(FileKind.LABELS)}
    default = next(iter(formats.values()))
    name = tr("{project} labels").format(project=context.session.name)
    start = str(Path.home() / f"{name}{default.endings[0]}")
    title = tr("Export labels")
    chosen, pattern = QFileDialog.getSaveFileName(parent, title, start, ";;".join(formats))
    if chosen:
        file, ending = Path(chosen), formats.get(pattern, default).endings[0]
        export_to(context, file if file.suffix else file.with_suffix(ending))


def export_to(context: Context, file: Path) -> None:
    """Export all labels to `file` and show how many."""
    with context.reporting_errors():
        count = export_labels(context.session, file)
        text = plural(
            count,
            "{n:,} label exported to {file}.",
            "{n:,} labels exported to {file}.",
            file=file.name,
        )
        context.notify(text, "info")


def choose_label_file(context: Context, parent: QWidget) -> None:
    """Choose a label file in a dialog and import its labels."""
    read = patterns(FORMATS.read_as(FileKind.LABELS))
    kinds = tr("Label files ({patterns})").format(patterns=read)
    title = tr("Import labels")
    chosen, _ = QFileDialog.getOpenFileName(parent, title, str(Path.home()), kinds)
    if chosen:
        import_from(context, Path(chosen))


def import_from(context: Context, file: Path) -> None:
    """Import the labels of `file` and show how many were imported."""
    with context.reporting_errors():
        _show_label_import(context, import_labels(context.session, file))


def _show_label_import(context: Context, result: LabelImport) -> None:
    unmatched = len(result.unmatched)
    sentences = [
        plural(
            result.rows,
            "{labelled:,} of {n:,} label imported.",
            "{labelled:,} of {n:,} labels imported.",
            labelled=result.labelled,
        )
    ]
    if result.kept:
        sentences.append(
            plural(
                result.kept,
                "{n:,} label given by hand was kept.",
                "{n:,} labels given by hand were kept.",
            )
        )
    if unmatched:
        sentences.append(
            plural(unmatched, "{n:,} row matches no image.", "{n:,} rows match no image.")
        )
    context.notify(" ".join(sentences), "warn" if unmatched else "info")


def notify_of_missing_sources(context: Context) -> None:
    """Show which sources are not found at their paths; nothing if all are."""
    missing = moved_sources(context.session)
    if missing:
        names = ", ".join(Path(source.path).name for source in missing[:3])
        message = tr("Not found: {names}. Use “Re-link moved sources…” in the File menu.")
        context.notify(message.format(names=names), "warn")


def relink_missing_sources(context: Context, parent: QWidget) -> None:
    """Choose the new folder of each source that is not found, and re-link it."""
    missing = moved_sources(context.session)
    if not missing:
        context.notify(tr("All sources are found."), "info")
    for source in missing:
        title = tr("Where is {source} now?").format(source=Path(source.path).name)
        chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
        if chosen:
            relink(context, source, Path(chosen))


def relink(context: Context, source: Source, folder: Path) -> None:
    """Re-link `source` to `folder` in a job that compares the images first."""
    message = tr("{source} re-linked to {folder}.")
    message = message.format(source=Path(source.path).name, folder=folder)

    with context.reporting_errors():
        context.session.start(
            relink_task(context.session, source.id, folder),
            done=lambda _: context.notify(message, "info"),
        )
