"""What all commands share: options, output, exit codes, projects and runs."""

from __future__ import annotations

import difflib
import functools
import importlib
import json
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
from PySide6.QtCore import QCoreApplication

from workbench import __version__
from workbench.app.project_folders import project_folder
from workbench.app.session import Session
from workbench.app.training.training import recover
from workbench.cli import COMMANDS
from workbench.cli.progress import CommandInterrupted
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.runs import RunRecord


class Output:
    """Where a command speaks: stdout for its result, stderr for progress.

    With `as_json` nothing but the one JSON object goes to stdout. `exit_code` is what the command
    ends with when nothing is raised.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.exit_code = 0

    def say(self, text: str) -> None:
        """One line for a person."""
        if not self.as_json:
            _write(sys.stdout, text)

    def warn(self, text: str) -> None:
        """One line on stderr, in both modes."""
        _write(sys.stderr, text)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Rows under a head, columns aligned, numbers to the right; an empty head is left out."""
        for line in aligned(head, rows)[0 if any(head) else 1 :]:
            self.say(line)

    def finish(self, result: Mapping[str, object]) -> None:
        """The command's result, as the last line of stdout in JSON mode."""
        if self.as_json:
            _write(sys.stdout, json.dumps(_plain(result), ensure_ascii=False))


def aligned(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a table: columns two spaces apart, columns of numbers flush right."""
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


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4f}"
    return str(value)


def _plain(value: Any) -> Any:
    """`value` with what strict JSON lacks replaced: NaN and infinities become null."""
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


Result = Mapping[str, object]
STOPPED = 130


class Commands(click.Group):
    """All commands; the module of one is imported when it is asked for."""

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
            what = "neither a project nor a command" if alone else "no command"
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Is {near[0]} meant?" if near else ""
            raise click.UsageError(f"There is {what} called “{args[0]}”.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has --help with an example, and --json.",
)
@click.version_option(__version__, prog_name="Vantage Workbench")
def commands() -> None:
    """Label, train and understand fine-grained image classifiers.

    `workbench` alone, or with a project's folder, opens the window; the commands below do the same
    work without one.
    """


def command(
    name: str, example: str, help: str | None = None
) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a command of a function that takes an Output first and returns its JSON object. Its help
    is `help`, else the function's docstring."""

    def wrap(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def call(as_json: bool, **values: Any) -> int:
            out = Output(as_json)
            out.finish(function(out, **values))
            return out.exit_code

        flag = click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")
        epilog = "\b\nExample:\n  " + example.replace("\n", "\n  ")
        return click.command(name, epilog=epilog, help=help)(flag(call))

    return wrap


project_argument = click.argument("project", type=click.Path(path_type=Path))
run_argument = click.argument("run")


def run(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name); returns the exit code: 0 done, 1 an error
    of the world, 2 wrong usage, 130 stopped by the user. With --json every ending is an object."""
    as_json = "--json" in arguments
    try:
        code = commands.main(list(arguments), prog_name="workbench", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        return _usage(error, as_json)
    except ValueRefused as error:
        return _said(error, as_json, 2)
    except KnownError as error:
        return _said(error, as_json, 1)
    except BrokenPipeError:
        sys.stdout = open("/dev/null", "w", encoding="utf-8")  # noqa: SIM115 - the reader left
        return 1
    except OSError as error:
        return _said(_of_the_system(error), as_json, 1)
    except (CommandInterrupted, KeyboardInterrupt, click.Abort) as stop:
        Output(as_json).warn("Stopped.")
        result = stop.result if isinstance(stop, CommandInterrupted) else {"status": "stopped"}
        Output(as_json).finish(result)
        return STOPPED
    except Exception:
        return _defect(as_json)


def _usage(error: click.ClickException, as_json: bool) -> int:
    error.show()
    Output(as_json).finish({"error": error.format_message(), "remedy": "See workbench --help."})
    return 2


def _said(error: KnownError, as_json: bool, code: int) -> int:
    Output(as_json).warn(f"error: {error}")
    Output(as_json).finish({"error": error.sentence, "remedy": error.remedy})
    return code


def _of_the_system(error: OSError) -> KnownError:
    where = f"{error.filename}: " if error.filename else ""
    return KnownError("{where}{strerror}.", where=where, strerror=error.strerror or error)


def _defect(as_json: bool) -> int:
    report = traceback.format_exc()
    out = Output(as_json)
    out.warn(report)
    sentence = "This is a fault of the program; the report above says where."
    out.warn(f"error: {sentence}")
    last = report.strip().splitlines()[-1]
    out.finish({"error": f"A fault of the program: {last}", "remedy": sentence})
    return 1


@contextmanager
def opened(given: Path) -> Iterator[Session]:
    """The project `given`, open for reading and editing; closed whatever happens."""
    ensure_application()
    session = Session.open(project_folder(given))
    try:
        recover(session)
        yield session
    finally:
        session.close()


def ensure_application() -> None:
    """Signals and child processes need a Qt application object; one without a window will do."""
    if QCoreApplication.instance() is None:
        ensure_application.__dict__["kept"] = QCoreApplication(sys.argv[:1])


def find_run(session: Session, given: str) -> RunRecord:
    """The run with this id, unique beginning of an id, or name; "latest" is the newest one."""
    runs = session.runs.all()
    if given == "latest" and runs:
        return runs[0]
    for fits in (
        [run for run in runs if run.id == given],
        [run for run in runs if run.name == given],
        [run for run in runs if run.id.startswith(given)],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            several = ", ".join(run.id for run in fits)
            raise KnownError(
                "“{given}” is more than one run: {several}.",
                "Give the whole id.",
                given=given,
                several=several,
            )
    known = ", ".join(run.id for run in runs[:8]) or "there is none yet"
    raise KnownError("There is no run “{given}”.", "Runs: {known}.", given=given, known=known)
