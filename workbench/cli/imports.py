"""The command `imports`, and what all imports share: options, and the report on the screen."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from workbench.app.labels.reading import ReadChoices
from workbench.app.labels.reports import save_report
from workbench.cli.command import Output, Result, as_json_values, command, opened, project_argument
from workbench.domain.errors import KnownError
from workbench.domain.formats import IMPORTABLE_SETS
from workbench.domain.import_reports import (
    Decision,
    DecisionKind,
    ImportReport,
    change_text,
    conflict_text,
    like_text,
)
from workbench.domain.part_words import part_named
from workbench.domain.splits import Part
from workbench.formats import FORMATS

_OTHER_IMAGES = "Other images: --root FOLDER, the folder with the images that are meant"
SHOWN = 20  # findings printed of each kind; --json and --csv have them all


def reading_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add the options that decide how files of datasets are read; see `choices_of`."""
    options = (
        click.option(
            "--format",
            "format",
            type=click.Choice(list(FORMATS)),
            help="The format of the files; recognised if not given.",
        ),
        click.option(
            "--labels",
            "sets",
            multiple=True,
            metavar="NAME=SET",
            help="Import the column or label set NAME of the file as the label set SET (nothing "
            "after = leaves it out; nothing before it: labels without a name); may be repeated.",
        ),
        click.option("--encoding", default="", help="The character encoding, such as cp1252."),
        click.option(
            "--root",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="The folder that relative paths are relative to, if not that of the file.",
        ),
        click.option(
            "--part",
            "part_words",
            multiple=True,
            metavar="WORD=PART",
            help="Read WORD, in a column or as a folder or file name, as the train, validation or "
            "test part (nothing after = is no part); may be repeated.",
        ),
        click.option("--path-column", default="", help="The column of a table that names images."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def choices_of(options: dict[str, Any]) -> ReadChoices:
    """The choices that the options of `reading_options` give."""
    sets = {}
    for text in options["sets"]:
        own, sign, label_set = text.partition("=")
        if not sign:
            raise click.BadParameter(f"“{text}” is not NAME=SET.", param_hint="--labels")
        sets[own] = label_set.strip()
    return ReadChoices(
        options["format"] or "",
        options["encoding"],
        options["root"],
        options["path_column"],
        sets,
        IMPORTABLE_SETS[0],
        parts=_part_words(options["part_words"]),
    )


def _part_words(texts: Sequence[str]) -> dict[str, Part | None]:
    """The parts that the values of `--part` give words."""
    parts: dict[str, Part | None] = {}
    for text in texts:
        word, sign, name = text.rpartition("=")
        part = part_named(name)
        if not sign or not word.strip() or (name.strip() and part is None):
            problem = f"“{text}” is not WORD=train, WORD=validation or WORD=test."
            raise click.BadParameter(problem, param_hint="--part")
        parts[word.strip().lower()] = part
    return parts


@command(
    "imports",
    "workbench imports Birds\nworkbench imports Birds --report 3 --csv report.csv",
)
@project_argument
@click.option("--report", "number", type=int, help="Show the report with this number.")
@click.option(
    "--csv", "file", type=click.Path(path_type=Path), help="Save the report as a table in FILE."
)
def imports_command(
    out: Output, project: Path, number: int | None, file: Path | None
) -> Result:  # fmt: skip
    """List the reports of imports, or show one."""
    with opened(project) as session:
        reports = session.import_reports.all()
        if number is None and file is None:
            rows = [(n, str(one.title), ", ".join(one.counts())) for n, one in reports.items()]
            out.table(("", "import", "result"), rows)
            return {"imports": [{"number": n, **report_values(one)} for n, one in reports.items()]}
        chosen = reports.get(number if number is not None else max(reports, default=0))
        if chosen is None:
            raise KnownError("There is no such report.", "List them with: workbench imports.")
        print_report(out, chosen)
        if file is not None:
            notes = save_report(chosen, file, change_of)
            out.print(f"saved to {file}")
            for note in notes:
                out.print(str(note))
        return report_values(chosen)


def print_report(out: Output, report: ImportReport) -> None:
    """Print a report: its numbers, then the findings, with how to change what was decided."""
    for text in report.counts():
        out.print(text)
    for part, count in report.parts.items():
        out.print(f"{part} part: {count:,}")
    conflicts = [f"  {one.image}: {conflict_text(one)}" for one in report.conflicts]
    _print(out, "Conflicts:", conflicts)
    changed = [f"  {one.image}: {change_text(one)}" for one in report.changed]
    _print(out, "Changed:", changed)
    _print(out, "Skipped:", [f"  {one.path}: {one.reason}" for one in report.skipped])
    new = [
        f"  {one.set}: {one.label}" + (f" ({like_text(one)})" if one.like else "")
        for one in sorted(report.new_labels, key=lambda one: not one.like)
    ]
    _print(out, "New labels:", new)
    decided = [
        f"  {one.about}: {one.value}" + (f" ({change})" if (change := change_of(one)) else "")
        for one in report.decisions
    ]
    _print(out, "Decided:", decided)


def change_of(decision: Decision) -> str:
    """The option that changes a decision; "" if there is none."""
    own = shlex.quote(decision.own) if decision.own else ""
    return {
        DecisionKind.FORMAT: "Another format: --format",
        DecisionKind.ENCODING: "Another encoding: --encoding",
        DecisionKind.LABEL_SET: f"Another label set: --labels {own}=…"
        if own
        else "Another label set for labels without a name: --labels =…",
        DecisionKind.NOT_IMPORTED: "To import it as labels: --labels "
        + shlex.quote(f"{decision.own}={decision.suggested}"),
        DecisionKind.PART: f"Another part: --part {own or 'FOLDER'}=…",
        DecisionKind.PATHS: _OTHER_IMAGES,
        DecisionKind.OTHER_FOLDERS: _OTHER_IMAGES,
        DecisionKind.FOLDERS: f"To import them as labels: --{decision.suggested}-from folder",
    }.get(decision.kind, "")


def _print(out: Output, head: str, lines: list[str]) -> None:
    if lines:
        out.print(head)
    for line in lines[:SHOWN]:
        out.print(line)
    if len(lines) > SHOWN:
        out.print(f"  … and {len(lines) - SHOWN} more")


def report_values(report: ImportReport) -> dict[str, Any]:
    """The JSON object of a report."""
    return as_json_values(report)
