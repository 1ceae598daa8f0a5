"""Shared by all commands: options, output, exit codes, and lookup of projects and runs."""

from __future__ import annotations

import codecs
import difflib
import errno
import functools
import importlib
import io
import json
import math
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec
import numpy as np
from PySide6.QtCore import QCoreApplication

from workbench import __version__
from workbench.app.jobs import Failed
from workbench.app.project_folders import project_folder
from workbench.app.restoring import (
    daily_point_is_due,
    daily_task,
    damaged_note,
    newest_points,
    shown_time,
)
from workbench.app.session import Session
from workbench.app.training.training import recover
from workbench.cli import COMMANDS
from workbench.cli.progress import CommandInterrupted
from workbench.domain.errors import KnownError, ValueRefused, reason_of, remedy_of
from workbench.domain.projects import DamagedProject, RestorePoint
from workbench.domain.runs import RunRecord
from workbench.domain.text import Message, counted
from workbench.domain.values import Cell, Cells, Json

Result = Mapping[str, Json]


class Output:
    """Output of a command: results on stdout, progress and warnings on stderr.

    With `as_json`, stdout gets the JSON object alone. `exit_code` is the command's exit code if it
    raises nothing; `interrupted` is whether Ctrl+C was pressed in the last training.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.exit_code = 0
        self.interrupted = False

    def print(self, text: str) -> None:
        """Print a line on stdout; with --json, print nothing."""
        if not self.as_json:
            _write(sys.stdout, text)

    def warn(self, text: str) -> None:
        """Print a line on stderr, with --json too."""
        _write(sys.stderr, text)

    def table(self, head: Sequence[str], rows: Sequence[Cells]) -> None:
        """Print rows as aligned columns, numbers flush right; a head of empty titles is omitted."""
        for line in aligned(head, rows)[0 if any(head) else 1 :]:
            self.print(line)

    def finish(self, result: Result) -> None:
        """Print the result as one line of JSON on stdout; without --json, print nothing."""
        if self.as_json:
            readable = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
            _write(sys.stdout, json.dumps(_plain(result), ensure_ascii=not readable))


def aligned(head: Sequence[str], rows: Sequence[Cells]) -> list[str]:
    """Return the lines of a table: columns two spaces apart, numeric ones flush right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [
        all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(head))
    ]
    widths = [max(len(line[i]) for line in (list(head), *cells)) for i in range(len(head))]
    return [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in (list(head), *cells)
    ]


def image_count(n: int) -> str:
    """A number of images in words."""
    return counted(n, "{n:,} image", "{n:,} images")


def as_json_values(structure: msgspec.Struct) -> dict[str, Any]:
    """A msgspec structure as values of JSON; messages as plain text."""
    values: dict[str, Any] = msgspec.to_builtins(structure, enc_hook=_message_text)
    return values


def _message_text(value: object) -> str:
    if not isinstance(value, Message):
        raise NotImplementedError(f"{type(value).__name__} cannot be shown as JSON.")
    return str(value)


def _cell(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:z.4f}"  # z: no -0.0000
    return str(value)


def _plain(value: Any) -> Any:
    """`value` as strict JSON allows it: NaN and infinities become null."""
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int | str | None):
        return value
    return str(value)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()


STOPPED = 130  # exit code
KNOWN = 8  # runs named in an error


class Commands(click.Group):
    """The group of all commands; imports a command's module when it is looked up."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"workbench.cli.{COMMANDS[cmd_name]}")
        found = getattr(module, f"{cmd_name}_command")
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            alone = all(other.startswith("-") for other in args[1:])
            kind = "neither a project nor a command" if alone else "not a command"
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean “{near[0]}”?" if near else ""
            raise click.UsageError(f"“{args[0]}” is {kind}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has --json, and --help with an example.",
)
@click.version_option(__version__, prog_name="Vantage Workbench")
def commands() -> None:
    """Label images, and train and explain fine-grained image classifiers.

    `workbench` alone, or followed by a project, opens the window. The commands below do the same
    without a window.
    """


class _TextOrNothing(click.types.StringParamType):
    """A text that may be empty; all other values of a command line may not."""


TEXT_OR_NOTHING = _TextOrNothing()


class _CheckedCommand(click.Command):
    """A command that refuses blank and invalid values as `ValueRefused`, by the name of their
    option or argument: an empty path would be the current folder, an empty name the default."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for parameter in self.params:
            for text in _texts(given.get(parameter.name or "")):
                _check_value(parameter, text, ctx)
        return super().parse_args(ctx, args)


def _texts(value: Json) -> list[str]:
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def _check_value(parameter: click.Parameter, text: str, ctx: click.Context) -> None:
    kind = parameter.type
    name = parameter.human_readable_name.strip("[].")
    if isinstance(parameter, click.Option):
        name = max(parameter.opts, key=len)
    if not text.strip() and not isinstance(kind, _TextOrNothing):
        raise ValueRefused(name, text, _allowed(kind), Message("{name} is empty.", name=name))
    if isinstance(kind, click.Tuple):
        return
    try:
        value = kind.convert(text, parameter, ctx)
    except click.BadParameter as error:
        if isinstance(kind, click.Path):
            _check_readable(Path(text))
        raise ValueRefused(name, text, _allowed(kind)) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueRefused(name, text, _allowed(kind))


def _check_readable(path: Path) -> None:
    """Raise KnownError, with the reason, if a file or folder that exists cannot be read."""
    if path.exists() and not os.access(path, os.R_OK):
        refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        raise KnownError(
            "{path} cannot be read: {reason}.",
            remedy_of(refused),
            path=path,
            reason=reason_of(refused),
        )


def _allowed(kind: click.ParamType[Any]) -> str:
    """The allowed values of a type of parameters, in words."""
    if isinstance(kind, click.Choice):
        return ", ".join(map(str, kind.choices))
    if isinstance(kind, click.IntRange | click.FloatRange):
        whole = "a whole number" if isinstance(kind, click.IntRange) else "a number"
        if kind.max is None:
            return f"{whole} of at least {kind.min:g}"
        return f"{whole} from {kind.min:g} to {kind.max:g}"
    if isinstance(kind, click.Path):
        folder = "an existing folder" if kind.exists else "a folder"
        file = "an existing file or folder" if kind.exists else "a path"
        return folder if not kind.file_okay else file
    return "a text with at least one character"


def command(
    name: str, example: str, help: str | None = None
) -> Callable[[Callable[..., Result]], click.Command]:
    """Decorate a function that takes an Output first and returns the JSON object of `--json`.

    The help text is `help`, or else the function's docstring.
    """

    def wrap(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def call(as_json: bool, **values: Any) -> int:
            out = Output(as_json)
            out.finish(function(out, **values))
            return out.exit_code

        flag = click.option(
            "--json", "as_json", is_flag=True, help="Print the result as one JSON object."
        )
        epilog = "\b\nExample:\n  " + example.replace("\n", "\n  ")
        return click.command(name, _CheckedCommand, epilog=epilog, help=help)(flag(call))

    return wrap


def check_goes_with(option: str, given: bool, other: str, other_given: bool) -> None:
    """Raise UsageError if `option` is given without the one that it is about."""
    if given and not other_given:
        raise click.UsageError(f"{option} means nothing without {other}.")


project_argument = click.argument("project", type=click.Path(path_type=Path))
run_argument = click.argument("run")
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed."
)


def run(arguments: Sequence[str]) -> int:
    """Run a command line without the program's name; return the exit code.

    0 is success, 1 an error, 2 wrong usage, 130 stopped by the user. With --json, errors and stops
    are reported as an object too.
    """
    as_json = "--json" in arguments
    _escape_unprintable()
    try:
        code = commands.main(list(arguments), prog_name="workbench", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        return _report_usage(error, as_json)
    except KnownError as error:
        return _report_error(error, as_json)
    except BrokenPipeError:
        sys.stdout = open("/dev/null", "w", encoding="utf-8")  # noqa: SIM115 - nothing reads it
        return 1
    except OSError as error:
        return _report_error(_system_error(error), as_json)
    except (CommandInterrupted, KeyboardInterrupt, click.Abort) as stop:
        Output(as_json).warn("Stopped.")
        result = stop.result if isinstance(stop, CommandInterrupted) else {"status": "stopped"}
        Output(as_json).finish(result)
        return STOPPED
    except Exception:
        return _report_bug(as_json)


def _escape_unprintable() -> None:
    """Have characters that the output's encoding lacks, and bytes of file names that are no text,
    written as escapes such as \\xe4: a name must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report_usage(error: click.ClickException, as_json: bool) -> int:
    error.show()
    Output(as_json).finish({"error": error.format_message(), "remedy": "See workbench --help."})
    return 2


def _report_error(error: KnownError, as_json: bool) -> int:
    if isinstance(error, DamagedProject):
        return _report_damage(error, as_json)
    Output(as_json).warn(f"error: {error}")
    Output(as_json).finish({"error": error.sentence, "remedy": error.remedy})
    return 2 if isinstance(error, ValueRefused) else 1


def _report_damage(error: DamagedProject, as_json: bool) -> int:
    """Report a project that cannot be opened, with its newest restore points."""
    points, folder = newest_points(error.folder), shlex.quote(str(error.folder))
    out = Output(as_json)
    out.warn(f"error: {error.sentence}")
    for point in points:
        out.warn(f"  workbench restore {folder} {point.name}  # {described(point)}")
    known = [point.name for point in points]
    note = damaged_note(error.folder)
    if note is not None:
        out.warn(f"  {note}")
    elif not points:
        out.warn("  There are no restore points of it.")
    out.finish({"error": error.sentence, "remedy": error.remedy, "restore_points": known})
    return 1


def described(point: RestorePoint) -> str:
    """A restore point in words: its kind, time and content."""
    images = image_count(point.images)
    labels = counted(point.labels, "{n:,} label", "{n:,} labels")
    return f"{shown_time(point)} ({point.kind.reason}): {images}, {labels}"


def _system_error(error: OSError) -> KnownError:
    reason, remedy = reason_of(error), remedy_of(error)
    if not error.filename:
        return KnownError("{reason}.", remedy, reason=reason)
    return KnownError("{path}: {reason}.", remedy, path=error.filename, reason=reason)


def _report_bug(as_json: bool) -> int:
    report = traceback.format_exc()
    out = Output(as_json)
    out.warn(report)
    remedy = "Report this bug with the traceback above."
    out.warn(f"error: This is a bug in the program. {remedy}")
    last = report.strip().splitlines()[-1]
    out.finish({"error": f"Bug in the program: {last}", "remedy": remedy})
    return 1


@contextmanager
def opened(given: Path) -> Iterator[Session]:
    """Open the project `given`; close it at the end of the block, after errors too."""
    ensure_application()
    session = Session.open(project_folder(given))
    try:
        recover(session)
        daily = session.start(daily_task(session)) if daily_point_is_due(session) else None
        yield session
        if daily is not None:
            daily.settle()
            if isinstance(daily.outcome, Failed):
                Output(False).warn(f"warning: {daily.outcome.text}")
    finally:
        session.close()


def ensure_application() -> None:
    """Create Qt's application object if there is none: signals and child processes need it."""
    if QCoreApplication.instance() is None:
        ensure_application.__dict__["application"] = QCoreApplication(sys.argv[:1])


def find_run(session: Session, given: str) -> RunRecord:
    """Return the run with this id, unique beginning of an id, or name; "latest" is the newest.

    Raises KnownError if no run matches, or several.
    """
    runs = session.runs.all()
    if not runs:
        raise KnownError("The project has no runs.", "Train one with: workbench train.")
    if given == "latest":
        return runs[0]
    for matches in (
        [run for run in runs if run.id == given],
        [run for run in runs if run.name == given],
        [run for run in runs if run.id.startswith(given)],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise KnownError(
                "“{given}” matches several runs: {runs}.",
                "Give the full id.",
                given=given,
                runs=", ".join(run.id for run in matches),
            )
    known = ", ".join(run.id for run in runs[:KNOWN])
    raise KnownError("There is no run “{given}”.", "Runs: {known}.", given=given, known=known)
